use super::*;
use std::collections::BTreeSet;

#[test]
fn the_description_names_every_route_and_no_other() {
    let described: Value = serde_json::from_str(OPENAPI).expect("JSON");
    let paths = described["paths"].as_object().expect("paths");
    let described: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, methods)| methods.as_object().expect("methods").keys().map(|method| (path.clone(), method.clone())))
        .collect();
    let source = include_str!("../routes.rs");
    let routed: BTreeSet<(String, String)> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix(".route(\""))
        .map(|rest| {
            let (path, handler) = rest.split_once("\", ").expect("a path and a handler");
            (path.to_owned(), handler.split('(').next().expect("a method").to_owned())
        })
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn errors_say_what_and_what_to_do() {
    let status = |kind| Refusal::from(EngineError::new(kind, "x").with_hint("y")).0.as_u16();
    assert_eq!(status(ErrorKind::FixInput), 422);
    assert_eq!(status(ErrorKind::Restart), 503);
    assert_eq!(status(ErrorKind::Bug), 500);
}
