//! Text of strangers as it is shown: evidence must not move a terminal's cursor, hide, or turn text around.

use alloc::string::String;

/// The text with its control and format characters written out, as `\u{1b}`.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) { shown.extend(character.escape_unicode()) } else { shown.push(character) }
    }
    shown
}

/// Controls, and what has no shape of its own: joiners, directions, separators of lines, tags.
///
/// Source: Unicode 16, general categories Cc, Cf, Zl and Zp; of Cf what a reader of plain text cannot see.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_move_a_cursor_or_turn_text_around_is_written_out() {
        assert_eq!(visible("\u{1b}[2JACCEPTED\n"), "\\u{1b}[2JACCEPTED\\u{a}");
        assert_eq!(visible("a\u{202E}b\u{200B}"), "a\\u{202e}b\\u{200b}");
        assert_eq!(visible("Qwen é 模型 <b>"), "Qwen é 模型 <b>");
    }
}
