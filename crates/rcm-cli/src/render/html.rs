//! Pages that need nothing else: no script, no font, no picture from elsewhere.

/// What all pages look like.
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1c2733}\
    h2 small{font-weight:normal;color:#607080}table{border-collapse:collapse;width:100%}\
    td,th{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #dde3e9}";

/// A page of that title. `style` is added to what all pages look like; `body` is HTML.
pub(crate) fn page(title: &str, style: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}{style}</style></head><body>\n<h1>{title}</h1>\n\
         {body}</body></html>\n",
        title = escaped(title),
    )
}

/// The text as HTML shows it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
