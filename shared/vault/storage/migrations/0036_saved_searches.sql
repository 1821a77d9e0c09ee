-- The words of searches on pages, by the id that stands for them in addresses: words may be names of people.
CREATE TABLE platform.saved_search (
    search_id uuid PRIMARY KEY,
    user_id bigint NOT NULL,
    words text NOT NULL,
    saved_date timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX saved_search_saved_date ON platform.saved_search (saved_date);
