//! Prints texts of the schemas in `measurements/vectors/schemas.json`, chosen at random through masks:
//! `cargo run --release -p vial-grammar --example walks -- 10 | python3 measurements/vectors/schemas.py check`.
#![expect(clippy::print_stdout, reason = "a program for people")]

#[path = "../tests/walk/mod.rs"]
mod walk;

use vial_grammar::Json;

fn main() {
    let times: u64 =
        std::env::args().nth(1).map_or(1, |times| times.parse().expect("how many for each schema"));
    let vocabulary = walk::Vocabulary::new(2000);
    for (schema, entry) in (0..).zip(walk::entries()) {
        let grammar = walk::grammar(&entry);
        for seed in 0..times {
            let text = walk::walk(&grammar, &vocabulary, seed * 1000 + schema);
            let text = Json::Text(String::from_utf8(text).expect("UTF-8"));
            println!("{{\"schema\":{schema},\"text\":{text}}}");
        }
    }
}
