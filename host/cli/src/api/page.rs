//! The dashboard: a page that a browser shows of a running job. Its sources are in `host/dashboard`; what they build is part of the binary.

use axum::http::{HeaderName, header};
use axum::response::IntoResponse;

/// What the page may do: it loads what is its own and speaks to where it came from, and nobody shows it within a page of theirs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page, with its content type.
#[derive(Clone, Copy)]
pub(super) struct PageFile(&'static str, &'static str);

pub(super) const INDEX: PageFile = PageFile("text/html; charset=utf-8", include_str!("dashboard/index.html"));
pub(super) const SCRIPT: PageFile = PageFile("text/javascript; charset=utf-8", include_str!("dashboard/app.js"));
pub(super) const STYLE: PageFile = PageFile("text/css; charset=utf-8", include_str!("dashboard/app.css"));

/// Answers with a file of the page.
pub(super) async fn file(PageFile(content_type, text): PageFile) -> impl IntoResponse {
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Another version of weir may be at the same address next.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text)
}
