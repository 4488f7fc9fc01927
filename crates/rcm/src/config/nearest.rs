//! Which known name was probably meant.

/// The candidate nearest to `word`, if one is near enough to be worth suggesting.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(&word, candidate)?, candidate)))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Edits between the two where they are few for the word's length; `region` for `aws_region` and `prod` for `production` are near, too.
fn distance(word: &str, candidate: &str) -> Option<usize> {
    let comparable = candidate.to_ascii_lowercase().replace('-', "_");
    let edits = strsim::damerau_levenshtein(word, &comparable);
    let few = (word.chars().count() / 3).max(1);
    let is_tail = word.len() >= 4 && comparable.strip_suffix(word).is_some_and(|head| head.ends_with('_'));
    let is_head = word.len() >= 3 && comparable.strip_prefix(word).is_some_and(|tail| !tail.starts_with('_'));
    match (edits <= few, is_tail || is_head) {
        (true, _) => Some(edits),
        (false, true) => Some(few + 1),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["aws_region", "ecs_cpu", "ecs_memory", "high-availability"];

    #[test]
    fn a_slip_of_the_fingers_is_recognised() {
        assert_eq!(nearest("ecs_cup", NAMES), Some("ecs_cpu"));
        assert_eq!(nearest("ecs-memory", NAMES), Some("ecs_memory"));
        assert_eq!(nearest("High_Availability", NAMES), Some("high-availability"));
    }

    #[test]
    fn the_last_words_of_a_name_are_enough_and_so_is_its_beginning() {
        assert_eq!(nearest("region", NAMES), Some("aws_region"));
        assert_eq!(nearest("prod", ["development", "production"]), Some("production"));
    }

    #[test]
    fn what_is_far_from_everything_gets_no_suggestion() {
        assert_eq!(nearest("instances", NAMES), None);
        assert_eq!(nearest("x", NAMES), None);
        assert_eq!(nearest("ecs", NAMES), None, "two begin with it");
    }
}
