-- The words of a record, as before. Most texts are letters, digits and a few other characters of ASCII: those characters
-- are replaced one by one, which takes a fraction of the time of the regular expression.
CREATE OR REPLACE FUNCTION platform.search_words(texts text[], choices text[]) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED COST 100
AS $$
DECLARE
    content text := array_to_string(texts, ' ');
    spaced text;
    words text[];
BEGIN
    -- One byte for each character: platform.folded would do no more.
    IF octet_length(content) = char_length(content) THEN
        content := lower(content COLLATE "C");
    ELSE
        content := platform.folded(content);
    END IF;
    IF octet_length(content) <= 2000 AND octet_length(content) = char_length(content) THEN
        spaced := replace(replace(replace(replace(replace(
            replace(replace(replace(replace(replace(
            replace(replace(replace(replace(replace(content COLLATE "C",
            '.', ' '), '-', ' '), '@', ' '), ',', ' '), '+', ' '), '/', ' '), '''', ' '), ':', ' '), '(', ' '),
            ')', ' '), '?', ' '), '!', ' '), ';', ' '), '"', ' '), '&', ' ');
        IF spaced ~ '[^a-z0-9_ ]' THEN
            words := platform.words_of(content);
        ELSE
            words := string_to_array(spaced, ' ');
        END IF;
    ELSIF octet_length(content) <= 2000 AND NOT platform.runs_on(content) THEN
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

-- Room in each page for the next version of its records: a record whose source has changed, but none of its own values,
-- gets only the date of that state, and no index has to learn of it (shared/vault/components/schema_changes.py).
DO $$
DECLARE
    records_table text;
BEGIN
    FOR records_table IN
        SELECT tablename FROM pg_tables
        WHERE schemaname = 'records' AND (tablename = 'person__sys' OR tablename NOT LIKE '%\_\_sys')
    LOOP
        EXECUTE format('ALTER TABLE records.%I SET (fillfactor = 60)', records_table);
    END LOOP;
END
$$;
