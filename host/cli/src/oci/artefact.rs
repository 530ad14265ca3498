//! What a component is in a registry: a manifest with a config that says what it is of, and one layer, which is the component byte for byte. This is the layout
//! of the CNCF's working group for Wasm, <https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>, which wkg, oci-wasm and wasmCloud write and read.

use serde::Deserialize;
use weir_wasm::{PLUGIN_BYTES, printable};

/// The media type of the manifest.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of the config.
#[cfg(feature = "oci")]
pub const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// The media type of the layer.
pub const LAYER_TYPE: &str = "application/wasm";

/// Bytes that are shown of what a manifest says.
const SHOWN: usize = 128;

/// The component that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its SHA-256, in hex.
    pub digest: String,
    /// Its bytes: not more than a plugin may have.
    pub size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: Option<u32>,
    media_type: Option<String>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// The component that a manifest names; why it names none. Which config it has does not matter: other tools write none, and what a plugin is it says itself.
pub fn layer_of(manifest: &[u8]) -> Result<Layer, String> {
    let manifest: Manifest = serde_json::from_slice(manifest).map_err(|error| format!("it is no manifest: {error}"))?;
    if manifest.manifests.is_some() {
        return Err("it is an index of several images, and not one component".into());
    }
    match &manifest.media_type {
        Some(other) if other != MANIFEST_TYPE => return Err(format!("its manifest is of the type {}", printable(other, SHOWN))),
        Some(_) | None => {}
    }
    if manifest.schema_version != Some(2) {
        return Err("its manifest is not of version 2 of the schema".into());
    }
    let layers = manifest.layers.unwrap_or_default();
    let [layer] = &layers[..] else { return Err(format!("it has {} layers, and a component is one", layers.len())) };
    if layer.media_type != LAYER_TYPE {
        return Err(format!("its layer is of the type {}, and a component's is {LAYER_TYPE}", printable(&layer.media_type, SHOWN)));
    }
    let digest = layer.digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.bytes().all(is_hex));
    let Some(digest) = digest else { return Err(format!("its layer's digest is {}, and no SHA-256", printable(&layer.digest, SHOWN))) };
    match layer.size {
        1..=PLUGIN_BYTES => Ok(Layer { digest: digest.to_owned(), size: layer.size }),
        size => Err(format!("its layer has {size} bytes, and a plugin has at most {} MiB", PLUGIN_BYTES >> 20)),
    }
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The config and the manifest of a component, which are the same each time: whoever pushes it again changes nothing.
#[cfg(feature = "oci")]
pub fn written(pushing: &super::Pushing<'_>) -> (Vec<u8>, Vec<u8>) {
    use super::sha256_of;
    use serde_json::json;
    let weir_wasm::Interfaces { imports, exports } = weir_wasm::Interfaces::of(pushing.component);
    let layer = format!("sha256:{}", sha256_of(pushing.component));
    let config = json!({
        // The layout wants a time. A component is the same whenever it is pushed, so it is always this one.
        "created": "1970-01-01T00:00:00Z",
        "author": null,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [layer],
        "component": { "exports": exports, "imports": imports, "target": null },
    });
    let config = serde_json::to_vec(&config).expect("it is JSON");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": { "mediaType": CONFIG_TYPE, "digest": format!("sha256:{}", sha256_of(&config)), "size": config.len() },
        "layers": [{ "mediaType": LAYER_TYPE, "digest": layer, "size": pushing.component.len() }],
        "annotations": {
            "org.opencontainers.image.title": pushing.name,
            "org.opencontainers.image.version": pushing.version,
        },
    });
    (config, serde_json::to_vec(&manifest).expect("it is JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn manifest() -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": "sha256:00", "size": 2 },
            "layers": [{ "mediaType": LAYER_TYPE, "digest": format!("sha256:{}", "ab".repeat(32)), "size": 7 }],
        })
    }

    fn layer(change: impl FnOnce(&mut Value)) -> Result<Layer, String> {
        let mut manifest = manifest();
        change(&mut manifest);
        layer_of(&serde_json::to_vec(&manifest).expect("it is JSON"))
    }

    #[test]
    fn a_component_is_the_one_layer_of_its_type() {
        let expect = Ok(Layer { digest: "ab".repeat(32), size: 7 });
        assert_eq!(layer(|_| ()), expect);
        assert_eq!(layer(|manifest| _ = manifest.as_object_mut().expect("an object").remove("mediaType")), expect);
        assert_eq!(layer(|manifest| manifest["annotations"] = json!({ "a": "b" })), expect);
    }

    #[test]
    fn what_is_no_component_is_refused_by_what_is_wrong() {
        let check = |change: &dyn Fn(&mut Value), expect: &str| {
            let refused = layer(|manifest| change(manifest)).expect_err(expect);
            assert!(refused.contains(expect), "{refused}");
        };
        check(&|manifest| manifest["manifests"] = json!([]), "an index of several images");
        check(&|manifest| manifest["mediaType"] = json!("text/\u{1b}[31m"), "of the type text/\\u{1b}[31m");
        check(&|manifest| manifest["schemaVersion"] = json!(1), "version 2");
        check(&|manifest| manifest["layers"] = json!([]), "0 layers");
        check(&|manifest| manifest["layers"] = json!([manifest["layers"][0], manifest["layers"][0]]), "2 layers");
        check(&|manifest| manifest["layers"] = json!(7), "it is no manifest");
        check(&|manifest| manifest["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip"), "a component's is");
        check(&|manifest| manifest["layers"][0]["digest"] = json!("sha512:00"), "no SHA-256");
        check(&|manifest| manifest["layers"][0]["digest"] = json!(format!("sha256:{}", "../".repeat(21) + "a")), "no SHA-256");
        check(&|manifest| manifest["layers"][0]["size"] = json!(PLUGIN_BYTES + 1), "at most 32 MiB");
        check(&|manifest| manifest["layers"][0]["size"] = json!(0), "0 bytes");
        check(&|manifest| manifest["layers"][0]["size"] = json!(-1), "it is no manifest");
        assert!(layer_of(b"").is_err() && layer_of(b"[").is_err() && layer_of(&b"[".repeat(100_000)).is_err());
    }

    #[cfg(feature = "oci")]
    #[test]
    fn what_is_written_is_read_and_is_the_same_each_time() {
        let component = bytes::Bytes::from_static(b"\0asm\x0d\0\x01\0");
        let pushing = crate::oci::Pushing { name: "count", version: "1.2.3", component: &component };
        let (config, manifest) = written(&pushing);
        assert_eq!(written(&pushing), (config.clone(), manifest.clone()));
        assert_eq!(layer_of(&manifest), Ok(Layer { digest: crate::oci::sha256_of(&component), size: 8 }));
        let (config, manifest): (Value, Value) = (serde_json::from_slice(&config).unwrap(), serde_json::from_slice(&manifest).unwrap());
        assert_eq!(config["layerDigests"][0], manifest["layers"][0]["digest"]);
        assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], "1.2.3");
    }
}
