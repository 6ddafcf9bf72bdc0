//! The table behind `ErrorCode`.

use super::{HEADER, names};
use crate::model::ErrorCode;

pub fn file(errors: &[ErrorCode]) -> String {
    let mut variants = String::new();
    let mut list = String::new();
    let mut codes = String::new();
    let mut facts = String::new();
    for ErrorCode { code, name, retriable, message } in errors {
        let variant = names::pascal(name);
        if !message.is_empty() {
            variants
                .push_str(&format!("/// {}\n", message.replace('<', "\\<").replace('[', "\\[")));
        }
        variants.push_str(&format!("{variant} = {code},\n"));
        list.push_str(&format!("Self::{variant},\n"));
        codes.push_str(&format!("{code} => Some(Self::{variant}),\n"));
        facts.push_str(&format!("Self::{variant} => ({name:?}, {message:?}, {retriable}),\n"));
    }
    format!(
        "{HEADER}\
         /// Why a request, or a part of one, was not carried out.\n\
         #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]\n\
         #[repr(i16)]\n\
         pub enum ErrorCode {{ {} }}\n\n\
         impl ErrorCode {{ \
         /// All of them, by growing code.\n\
         pub const ALL: &'static [Self] = &[{list}];\n\n\
         pub const fn from_code(code: i16) -> Option<Self> {{ match code {{ {codes} _ => None, }} }}\n\n\
         /// Name, message, and whether it may pass by itself.\n\
         pub(super) const fn facts(self) -> (&'static str, &'static str, bool) {{ match self {{ {facts} }} }} }}\n",
        variants.replace("None = 0", "#[default]\nNone = 0"),
    )
}
