-- What search compares texts by, and the words that search indexes hold. All of it depends on nothing but the
-- arguments and the collations of Unicode, never on the locale of the database, so that indexes stay right.

-- A text without case, accents and composition: two texts that people read as the same one are equal here. It is made
-- character by character, so that the beginning of a text becomes the beginning of its folded text.
CREATE FUNCTION platform.folded(value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
BEGIN
    -- One byte for each character: plain ASCII, as most texts are.
    IF octet_length(value) = char_length(value) THEN
        RETURN lower(value COLLATE "C");
    END IF;
    -- Combining marks of Latin, Greek and Cyrillic, and characters that nobody sees.
    value := regexp_replace(normalize(value, NFKD), '[\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff]', '', 'g');
    -- Letters that do not decompose, the sigma at the end of a word, apostrophes and hyphens.
    value := translate(lower(value COLLATE "und-x-icu"), 'ıłøđħŧƀɨĸς‘’ʼʹ‐‑‒–—―−', 'ilodhtbiqσ''''''''-------');
    RETURN replace(replace(replace(replace(value, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th');
END;
$$;

-- A text without case and composition, but with its accents: what CASEINSENSITIVE compares.
CREATE FUNCTION platform.caseless(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN octet_length(value) = char_length(value) THEN lower(value COLLATE "C") COLLATE "und-x-icu"
    ELSE lower(normalize(value, NFC) COLLATE "und-x-icu")
END;

-- The words of a folded text in their order, some perhaps empty.
CREATE FUNCTION platform.words_of(content text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_split_to_array(content COLLATE "und-x-icu", '\W+');

-- Whether a text has a letter of a script that does not put spaces between words: Chinese, Japanese, Thai, Lao,
-- Burmese, Khmer. Such a letter may begin a word wherever it stands.
CREATE FUNCTION platform.runs_on(content text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN octet_length(content) <> char_length(content) AND content COLLATE "C" ~
    '[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]';

-- What a search index holds of a record: the words of its texts, and the names of its picklist values as "=name". A
-- record with more words than an index should hold has the mark "*" instead of them: every search looks at it. Words are
-- cut at 500 characters, since a lexeme takes at most 2,046 bytes. Restricted: PostgreSQL expects thousands of records of
-- any search, and would start processes for a few, which takes a hundred times as long as to find them.
CREATE FUNCTION platform.search_words(texts text[], choices text[]) RETURNS tsvector
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

-- A word as an operand of a query, cut as the index cuts it; where it is not "whole", it may be the beginning of one.
CREATE FUNCTION platform.search_operand(word text, whole boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN platform.runs_on(word) THEN quote_literal(left(word, 16)) || ':*'
    WHEN whole AND char_length(word) <= 500 THEN quote_literal(word)
    ELSE quote_literal(left(word, 500)) || ':*'
END;

-- The query for records that may have all words of a text; where it is not "whole", the last word may be the beginning
-- of one. "labels" has the labels of picklist values by name; a value without one is searched for by its name. What the
-- query finds has still to be compared with the text: the words may stand in other fields, or in another order.
CREATE FUNCTION platform.search_query(searched text, whole boolean, labels jsonb DEFAULT NULL) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    content text := platform.folded(searched);
    words text[] := array_remove(platform.words_of(content), '');
    last integer := CASE WHEN whole OR content COLLATE "und-x-icu" ~ '\W$' THEN 0 ELSE cardinality(words) END;
    query text;
    term text;
BEGIN
    FOR number IN 1 .. least(cardinality(words), 20) LOOP
        term := platform.search_operand(words[number], number <> last);
        IF labels IS NOT NULL THEN
            SELECT concat_ws(
                ' | ',
                term,
                platform.search_operand('=' || words[number], number <> last),
                string_agg(quote_literal('=' || name), ' | ')
            ) INTO term
            FROM jsonb_each_text(labels) AS each (name, label)
            WHERE strpos(platform.folded(label), words[number]) > 0;
        END IF;
        query := concat_ws(' & ', query, '(' || term || ')');
    END LOOP;
    -- Every record lacks a word that no text can have.
    RETURN coalesce('(' || query || ') | ''*''', '!''**''')::tsquery;
END;
$$;

-- The query for records whose texts have, for each word of a text, a word that begins so; null where it has no words. Of
-- what stands together, as in "jean-lu", only the last word is the beginning of one.
CREATE FUNCTION platform.beginnings(typed text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT string_agg(platform.search_operand(word, number < cardinality(words)), ' & ')
    FROM regexp_split_to_table(platform.folded(typed), '\s+') AS chunk,
        platform.words_of(chunk) AS words, unnest(words) WITH ORDINALITY AS each (word, number)
    WHERE word <> ''
)::tsquery;

-- The regular expression of a searched word over folded text, from the parts between its wildcards. A word begins and
-- ends where one does in the text, except for letters of scripts that put no spaces between words.
CREATE FUNCTION platform.search_pattern(parts text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    escaped text[];
    first text := left(platform.folded(parts[1]), 1);
    last text := right(platform.folded(parts[cardinality(parts)]), 1);
BEGIN
    SELECT array_agg(
        regexp_replace(
            regexp_replace(platform.folded(part), '([!-/:-@\[-^`{-~])', '\\\1', 'g'), '\s+', '\\s+', 'g'
        ) ORDER BY number
    ) INTO escaped
    FROM unnest(parts) WITH ORDINALITY AS each (part, number);
    IF first = '' THEN
        -- Accents alone are no word, and in no text.
        RETURN '(?!)';
    END IF;
    RETURN CASE WHEN first COLLATE "und-x-icu" ~ '\w' AND NOT platform.runs_on(first) THEN '\m' ELSE '' END
        || array_to_string(escaped, '\w*')
        || CASE WHEN last COLLATE "und-x-icu" ~ '\w' AND NOT platform.runs_on(last) THEN '\M' ELSE '' END;
END;
$$;
