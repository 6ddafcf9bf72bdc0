//! What keeps the tree in shape when nobody is looking: who may import whom, which pages exist, how long
//! files get. The rules are plain functions that return what is wrong; the tests assert that nothing is.

pub mod arrows;
pub mod dependencies;
pub mod pages;
pub mod settings;
pub mod source;
pub mod tree;
pub mod words;
