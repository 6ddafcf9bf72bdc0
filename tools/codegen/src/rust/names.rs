//! Names of the schema as names of Rust.

const KEYWORDS: [&str; 6] = ["type", "match", "ref", "loop", "move", "use"];

/// `TimeoutMs` → `timeout_ms`, `KRaftVersion` → `kraft_version`.
pub fn snake(name: &str) -> String {
    let name = name.replace("KRaft", "Kraft");
    let letters = name.chars().collect::<Vec<_>>();
    let mut snake = String::new();
    for (place, letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|place| letters.get(place));
        let after = letters.get(place + 1);
        let opens_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                !before.is_ascii_uppercase()
                    || after.is_some_and(|after| after.is_ascii_lowercase())
            });
        if opens_word {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The name of a field, which may not be a keyword.
pub fn field(name: &str) -> String {
    let snake = snake(name);
    if KEYWORDS.contains(&snake.as_str()) { format!("r#{snake}") } else { snake }
}

/// `NOT_LEADER_OR_FOLLOWER` → `NotLeaderOrFollower`.
pub fn pascal(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect()
    };
    name.split('_').map(word).collect::<Vec<String>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_every_spelling_the_schemas_use() {
        let expected = [
            ("TimeoutMs", "timeout_ms"),
            ("topicId", "topic_id"),
            ("V3AndBelowTopics", "v3_and_below_topics"),
            ("KRaftVersion", "kraft_version"),
            ("NoOpRecord", "no_op_record"),
            ("ISR", "isr"),
        ];
        for (name, snaked) in expected {
            assert_eq!(snake(name), snaked);
        }
        assert_eq!(field("Type"), "r#type");
        assert_eq!(pascal("NOT_LEADER_OR_FOLLOWER"), "NotLeaderOrFollower");
    }
}
