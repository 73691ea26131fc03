//! Pages of the program's own.

use crate::client::{get, get_until, request};
use crate::process::start;

#[test]
fn a_page_has_its_text_and_its_type_until_its_resource_is_released() {
    let process = start(&[("HOLD", "acquire release")]);
    let probe = process.probe();
    process.line("acquiring Db");
    assert_eq!(get(probe, "/text").code, 404, "Cache comes after Db");
    process.order("go acquire");
    process.line("body runs");
    let text = get(probe, "/text");
    assert_eq!((text.code, text.body.as_str()), (200, "a page\n"));
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4"));
    let head = request(probe, "HEAD", "/text");
    assert_eq!((head.code, head.body.as_str()), (200, ""));
    let post = request(probe, "POST", "/text");
    assert_eq!((post.code, post.header("allow")), (405, Some("GET, HEAD")));
    process.order("shut down");
    process.line("Db waits");
    assert_eq!(get(probe, "/text").code, 404, "Cache is released");
    process.order("go release");
    assert_eq!(process.end().0, Some(0));
}

#[test]
fn a_page_that_panics_or_hangs_holds_up_no_other() {
    let process = start(&[("PROBE", "hasty")]);
    let probe = process.probe();
    process.line("body runs");
    assert_eq!(get(probe, "/panics").code, 500);
    for _ in 0..3 {
        let hangs = get(probe, "/hangs");
        assert_eq!((hangs.code, hangs.body.as_str()), (503, "the page did not answer within 300ms\n"));
    }
    assert_eq!(get(probe, "/text").code, 200);
    assert_eq!(get(probe, "/livez").code, 200);
    process.order("go page");
    get_until(probe, "/hangs", |answer| answer.code == 200);
    process.stop();
}
