use super::*;
use crate::api::body::{ALL_MAX, COMPONENT_MAX, JSON_MAX};
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
fn the_description_has_the_bounds_that_hold() {
    let described: Value = serde_json::from_str(OPENAPI).expect("JSON");
    let at = |path: &str| described.pointer(path).and_then(Value::as_u64);
    let rescale = "/paths/~1v1~1rescale/post/requestBody/content/application~1json/schema/properties/parallelism/maximum";
    assert_eq!(at(rescale), Some(weir_engine::state::MAX_PARALLELISM_LIMIT.into()));
    assert_eq!(at("/paths/~1v1~1upgrade/post/parameters/2/schema/maximum").map(Duration::from_millis), Some(PROBATION_MAX));
    let component = "/paths/~1v1~1upgrade/post/requestBody/content/application~1wasm/schema/maxLength";
    assert_eq!(at(component), Some(COMPONENT_MAX as u64));
    let told = described["info"]["description"].as_str().expect("a text");
    for bytes in [JSON_MAX, COMPONENT_MAX, ALL_MAX] {
        assert!(told.contains(&bytes.to_string()), "{bytes}");
    }
}
