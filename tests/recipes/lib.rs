//! The recipes are in `code`, as the page `recipes` of the documentation shows them; beside it are their tests.
