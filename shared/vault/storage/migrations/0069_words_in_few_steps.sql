-- The words of a record, as before. A function in PL/pgSQL pays for each of its steps: short texts of letters, digits and
-- a few other characters of ASCII, as most are, now take three steps instead of ten.
CREATE FUNCTION platform.words_of_any_text(texts text[], choices text[]) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED COST 100
AS $$
DECLARE
    content text := platform.folded(array_to_string(texts, ' '));
    words text[];
BEGIN
    IF octet_length(content) <= 2000 AND NOT platform.runs_on(content) THEN
        words := platform.words_of(content);
    ELSIF char_length(content) > 400000 THEN
        words := '{*}';
    ELSE
        words := ARRAY(SELECT DISTINCT left(word, 500) FROM unnest(platform.words_of(content)) AS word);
        IF platform.runs_on(content) THEN
            words := words || ARRAY(
                SELECT DISTINCT substr(word, place, 16)
                FROM unnest(words) AS word, generate_series(2, char_length(word)) AS place
                WHERE platform.runs_on(word) AND platform.runs_on(substr(word, place, 1))
            );
        END IF;
        IF cardinality(words) > 10000 THEN
            words := '{*}';
        END IF;
    END IF;
    IF cardinality(choices) > 0 THEN
        words := words || string_to_array('=' || array_to_string(choices, ' ='), ' ');
    END IF;
    RETURN array_to_tsvector(array_remove(words, ''));
END;
$$;
CREATE OR REPLACE FUNCTION platform.search_words(texts text[], choices text[]) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED COST 100
AS $$
DECLARE
    content text := lower(array_to_string(texts, ' ') COLLATE "C");
BEGIN
    IF octet_length(content) <= 2000 AND content !~ '[^a-z0-9_ .@,+/'':()?!;"&-]' THEN
        RETURN array_to_tsvector(array_remove(string_to_array(
            replace(replace(replace(replace(replace(
            replace(replace(replace(replace(replace(
            replace(replace(replace(replace(replace(content COLLATE "C",
            '.', ' '), '-', ' '), '@', ' '), ',', ' '), '+', ' '), '/', ' '), '''', ' '), ':', ' '), '(', ' '),
            ')', ' '), '?', ' '), '!', ' '), ';', ' '), '"', ' '), '&', ' ')
            || CASE WHEN cardinality(choices) > 0 THEN ' =' || array_to_string(choices, ' =') ELSE '' END,
            ' '), ''));
    END IF;
    RETURN platform.words_of_any_text(texts, choices);
END;
$$;
