-- Views of lists by name: columns, order and condition, of one user or shared with all. What a reader may not read is
-- left out when the list is made, so that a view gives nobody more than the object does.
CREATE TABLE platform.list_view (
    view_id uuid PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES platform.credential (user_id) ON DELETE CASCADE,
    object text NOT NULL,
    label text NOT NULL,
    shared boolean NOT NULL,
    columns text[] NOT NULL,
    sort text NOT NULL,
    filters jsonb NOT NULL,  -- values by field
    words text NOT NULL,
    work_list text NOT NULL,
    UNIQUE (user_id, object, label)
);
CREATE INDEX list_view_shared ON platform.list_view (object) WHERE shared;
-- The view that a user's list of an object begins with.
CREATE TABLE platform.usual_view (
    user_id bigint NOT NULL REFERENCES platform.credential (user_id) ON DELETE CASCADE,
    object text NOT NULL,
    view_id uuid NOT NULL REFERENCES platform.list_view ON DELETE CASCADE,
    PRIMARY KEY (user_id, object)
);
CREATE INDEX usual_view_view ON platform.usual_view (view_id);
