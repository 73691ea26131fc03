//! The status for people: one page, which asks for the JSON again and again.

/// It has everything in it, and loads nothing but the JSON.
pub(super) const PAGE: &str = include_str!("page.html");

/// Nothing runs but the script and the style of the page, and it talks to nobody but this server. The two hashes are
/// those of the elements: after a change, the console of the browser has the right ones, and with it the test `page`.
pub(super) const POLICY: &str = "default-src 'none'; \
     script-src 'sha256-CnNkhjVJVEAPMR+/F+QtaWalj4gp2r6naqrCW+ioU+Y='; \
     style-src 'sha256-AQXu2UXJi/FvtNedKetrsCDzkCEBNllDwOU1iGFf0K8='; \
     connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
