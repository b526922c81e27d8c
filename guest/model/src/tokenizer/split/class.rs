//! What a pattern asks of a character.

use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// What a character is to a pattern. Unicode 16; llama.cpp reads a version before it, in which some of the newest
/// letters and numbers are not assigned yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// `\p{L}`
    Letter,
    /// `\p{N}`
    Number,
    /// `\s`
    Space,
    /// `\p{M}`
    Mark,
    /// Anything else.
    Other,
}

/// The class of a character.
pub(super) fn class(character: char) -> Class {
    match character {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        ' ' | '\t'..='\r' => Class::Space,
        '0'..='9' => Class::Number,
        '\0'..='\x7f' => Class::Other,
        _ => wide(character),
    }
}

fn wide(character: char) -> Class {
    if character.is_whitespace() {
        return Class::Space;
    }
    match get_general_category(character) {
        Category::UppercaseLetter
        | Category::LowercaseLetter
        | Category::TitlecaseLetter
        | Category::ModifierLetter
        | Category::OtherLetter => Class::Letter,
        Category::DecimalNumber | Category::LetterNumber | Category::OtherNumber => Class::Number,
        Category::NonspacingMark | Category::SpacingMark | Category::EnclosingMark => Class::Mark,
        _ => Class::Other,
    }
}
