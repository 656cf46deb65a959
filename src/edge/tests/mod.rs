//! Raw TCP clients against a small service.
