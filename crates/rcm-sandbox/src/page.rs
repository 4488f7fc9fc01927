//! Lists that are given out in pages.

/// One page of `items` and the marker of the next: `size` of them from `marker` on, as an earlier page gave it.
pub(crate) fn page<T>(items: Vec<T>, marker: Option<&str>, size: Option<usize>) -> (Vec<T>, Option<String>) {
    let start: usize = marker.and_then(|marker| marker.parse().ok()).unwrap_or_default();
    let size = size.unwrap_or(100).max(1);
    let next = (start.saturating_add(size) < items.len()).then(|| (start + size).to_string());
    (items.into_iter().skip(start).take(size).collect(), next)
}
