-- A word that no other record has costs the index of words most. Ids are such words, and Links: a Vault's id, "_", and the
-- id of a record there. Ids are in the index no more, and of Links the last two characters are not, so that hundreds of
-- records share a word (shared/vault/model/field_types.py). Other Links are texts like any.
CREATE FUNCTION platform.searched_link(link text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN link COLLATE "C" ~ '^[0-9]+_[0-9A-Z]{3,}$' THEN left(link, -2) ELSE link END;

-- The word that the index may have of a Link instead of a searched word, or of one that begins with it, as operands. The
-- bound is that of search_operand: longer words are searched for by their beginning.
CREATE FUNCTION platform.link_operands(word text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN char_length(word) <= 502 AND word COLLATE "C" ~ '^[0-9]+_[0-9a-z]{2,}$'
    THEN quote_literal(left(word, -1)) || ' | ' || quote_literal(left(word, -2)) END;

-- As in migration 0030, with the operands of Links.
CREATE OR REPLACE FUNCTION platform.search_query(searched text, whole boolean, labels jsonb DEFAULT NULL) RETURNS tsquery
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
        term := concat_ws(
            ' | ',
            platform.search_operand(words[number], number <> last),
            platform.link_operands(words[number])
        );
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

-- The indexes that have ids and whole Links. Vaults build the others in the background, as soon as they run
-- (shared/vault/configuration/search_indexes.py).
DO $$
DECLARE
    named text;
BEGIN
    FOR named IN SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        WHERE i.relnamespace = to_regnamespace('records') AND x.indexprs IS NOT NULL LOOP
        EXECUTE format('DROP INDEX records.%I', named);
    END LOOP;
END
$$;

-- Inquiries are changed twice by each transfer: half of each page has room for the second version of every record
-- (shared/vault/components/schema_changes.py).
ALTER TABLE IF EXISTS records.medical_inquiry__v SET (fillfactor = 50);
