-- What files of documents say, as far as they are text: searched by FIND with SCOPE CONTENT. It goes with its content.
CREATE TABLE platform.content_text (
    sha256 text PRIMARY KEY REFERENCES platform.content (sha256) ON DELETE CASCADE,
    text text NOT NULL
);
