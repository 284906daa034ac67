//! The files: walk, pair, read, hash. What a path means comes from a format as [`Meaning`].
