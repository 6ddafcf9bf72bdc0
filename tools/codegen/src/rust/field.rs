//! One field: its type, its default, and the expressions that read, write and compare it.

use super::names;
use super::scope::{Condition, Scope};
use crate::model::{Field, Type};

pub(crate) struct FieldCode<'schema> {
    pub(crate) field: &'schema Field,
    pub(crate) scope: Scope,
    /// `Message.field`, for errors.
    pub(crate) label: String,
}

impl FieldCode<'_> {
    pub(crate) fn name(&self) -> String {
        names::field(&self.field.name)
    }

    pub(crate) fn is_option(&self) -> bool {
        self.scope.is_option(self.field)
    }

    pub(crate) fn rust_type(&self) -> String {
        let plain = rust_type(&self.field.of);
        if self.is_option() { format!("Option<{plain}>") } else { plain }
    }

    fn default_is_null(&self) -> bool {
        let says_null = self.field.default.as_deref() == Some("null");
        self.is_option() && (says_null || self.field.of == Type::Records)
    }

    pub(crate) fn default_is_derived(&self) -> bool {
        if self.is_option() {
            return self.default_is_null();
        }
        let zeros = ["0", "false", "null"];
        self.field.default.as_deref().is_none_or(|default| zeros.contains(&default))
    }

    /// The default as an expression.
    pub(crate) fn default_expression(&self) -> String {
        if self.default_is_null() {
            return "None".to_owned();
        }
        let given = self.field.default.as_deref();
        let plain = match &self.field.of {
            Type::Bool => given.unwrap_or("false").to_owned(),
            Type::Int8 | Type::Int16 | Type::Uint16 | Type::Int32 | Type::Uint32 | Type::Int64 => {
                given.unwrap_or("0").to_owned()
            }
            Type::Float64 => "0.0".to_owned(),
            Type::Uuid => "Uuid::ZERO".to_owned(),
            Type::String => match given {
                None | Some("null") => "String::new()".to_owned(),
                Some(text) => format!("{text:?}.to_owned()"),
            },
            Type::Bytes => "Bytes::new()".to_owned(),
            Type::Records => "Slices::default()".to_owned(),
            Type::Struct(name) => format!("{name}::default()"),
            Type::Array(_) => "Vec::new()".to_owned(),
        };
        if self.is_option() { format!("Some({plain})") } else { plain }
    }

    /// That the field has its default.
    pub(crate) fn is_default(&self) -> String {
        let value = format!("self.{}", self.name());
        if self.default_is_null() {
            return format!("{value}.is_none()");
        }
        let is_option = self.is_option();
        match &self.field.of {
            Type::Bool if self.field.default.as_deref() == Some("true") => value,
            Type::Bool => format!("!{value}"),
            Type::String if is_option => {
                format!("{value}.as_deref() == Some({:?})", self.given_text())
            }
            Type::String => format!("{value} == {:?}", self.given_text()),
            Type::Bytes | Type::Records | Type::Array(_) if is_option => {
                format!("{value}.as_ref().is_some_and(|value| value.is_empty())")
            }
            Type::Bytes | Type::Records | Type::Array(_) => format!("{value}.is_empty()"),
            Type::Int8
            | Type::Int16
            | Type::Uint16
            | Type::Int32
            | Type::Uint32
            | Type::Int64
            | Type::Float64
            | Type::Uuid
            | Type::Struct(_) => format!("{value} == {}", self.default_expression()),
        }
    }

    fn given_text(&self) -> &str {
        self.field.default.as_deref().filter(|text| *text != "null").unwrap_or_default()
    }

    /// Reads the field where `scope` says it stands.
    pub(crate) fn read(&self, scope: Scope) -> String {
        if !self.is_option() {
            return format!("{}?", self.read_call(scope, false));
        }
        let plain = format!("Some({}?)", self.read_call(scope, false));
        let nullable = format!("{}?", self.read_call(scope, true));
        match scope.condition(self.field.nullable) {
            Condition::Always => nullable,
            Condition::Never => plain,
            Condition::If(condition) => {
                format!("if {condition} {{ {nullable} }} else {{ {plain} }}")
            }
        }
    }

    fn read_call(&self, scope: Scope, nullable: bool) -> String {
        let flexible = scope.flexible_argument(self.field);
        let prefix = if nullable { "nullable_" } else { "" };
        match &self.field.of {
            Type::String => format!("reader.{prefix}string({flexible})"),
            Type::Bytes => format!("reader.{prefix}bytes({flexible})"),
            Type::Records => format!("reader.{prefix}slices({flexible})"),
            Type::Struct(_) if nullable => {
                format!("reader.nullable_{}struct(version)", self.tagged_prefix(scope))
            }
            Type::Struct(name) => format!("{name}::decode(reader, version)"),
            Type::Array(element) if element.struct_name().is_some() => {
                format!("reader.{prefix}structs(version, {flexible})")
            }
            Type::Array(_) => format!("reader.{prefix}array({flexible})"),
            Type::Bool
            | Type::Int8
            | Type::Int16
            | Type::Uint16
            | Type::Int32
            | Type::Uint32
            | Type::Int64
            | Type::Float64
            | Type::Uuid => format!("reader.{}()", rust_type(&self.field.of).to_lowercase()),
        }
    }

    /// A statement that writes the field where `scope` says it stands.
    pub(crate) fn write(&self, scope: Scope) -> String {
        let value = format!("self.{}", self.name());
        if !self.is_option() {
            return self.write_plain(scope, &value);
        }
        let nullable = self.write_nullable(scope, &value);
        let required = self.write_required(scope, &value);
        match scope.condition(self.field.nullable) {
            Condition::Always => nullable,
            Condition::Never => required,
            Condition::If(condition) => {
                format!("if {condition} {{ {nullable} }} else {{ {required} }}")
            }
        }
    }

    fn write_plain(&self, scope: Scope, value: &str) -> String {
        let flexible = scope.flexible_argument(self.field);
        match &self.field.of {
            Type::String => format!("writer.string(&{value}, {flexible})?;"),
            Type::Bytes => format!("writer.bytes(&{value}, {flexible})?;"),
            Type::Records => format!("writer.slices(&{value}, {flexible})?;"),
            Type::Struct(_) => format!("{value}.encode(writer, version)?;"),
            Type::Array(element) if element.struct_name().is_some() => {
                format!("writer.structs(&{value}, version, {flexible})?;")
            }
            Type::Array(_) => format!("writer.array(&{value}, {flexible})?;"),
            Type::Bool
            | Type::Int8
            | Type::Int16
            | Type::Uint16
            | Type::Int32
            | Type::Uint32
            | Type::Int64
            | Type::Float64
            | Type::Uuid => {
                format!("writer.{}({value});", rust_type(&self.field.of).to_lowercase())
            }
        }
    }

    fn write_nullable(&self, scope: Scope, value: &str) -> String {
        let flexible = scope.flexible_argument(self.field);
        let viewed = self.viewed(value);
        match &self.field.of {
            Type::String => format!("writer.nullable_string({viewed}, {flexible})?;"),
            Type::Bytes => format!("writer.nullable_bytes({viewed}, {flexible})?;"),
            Type::Records => format!("writer.nullable_slices({viewed}, {flexible})?;"),
            Type::Array(element) if element.struct_name().is_some() => {
                format!("writer.nullable_structs({viewed}, version, {flexible})?;")
            }
            Type::Array(_) => format!("writer.nullable_array({viewed}, {flexible})?;"),
            Type::Bool
            | Type::Int8
            | Type::Int16
            | Type::Uint16
            | Type::Int32
            | Type::Uint32
            | Type::Int64
            | Type::Float64
            | Type::Uuid
            | Type::Struct(_) => {
                format!("writer.nullable_{}struct({viewed}, version)?;", self.tagged_prefix(scope))
            }
        }
    }

    fn write_required(&self, scope: Scope, value: &str) -> String {
        let flexible = scope.flexible_argument(self.field);
        let viewed = self.viewed(value);
        let required = format!("required({viewed}, {:?}, version)?", self.label);
        match &self.field.of {
            Type::String => format!("writer.string({required}, {flexible})?;"),
            Type::Bytes => format!("writer.bytes({required}, {flexible})?;"),
            Type::Records => format!("writer.slices({required}, {flexible})?;"),
            Type::Array(element) if element.struct_name().is_some() => {
                format!("writer.structs({required}, version, {flexible})?;")
            }
            Type::Array(_) => format!("writer.array({required}, {flexible})?;"),
            Type::Bool
            | Type::Int8
            | Type::Int16
            | Type::Uint16
            | Type::Int32
            | Type::Uint32
            | Type::Int64
            | Type::Float64
            | Type::Uuid
            | Type::Struct(_) => format!("{required}.encode(writer, version)?;"),
        }
    }

    /// Null is said in another way where the field is a tagged one.
    fn tagged_prefix(&self, scope: Scope) -> &'static str {
        match scope.condition(self.field.tagged) {
            Condition::Always => "tagged_",
            Condition::Never | Condition::If(_) => "",
        }
    }

    /// The option of a borrowed value.
    fn viewed(&self, value: &str) -> String {
        match self.field.of {
            Type::String | Type::Array(_) => format!("{value}.as_deref()"),
            Type::Bool
            | Type::Int8
            | Type::Int16
            | Type::Uint16
            | Type::Int32
            | Type::Uint32
            | Type::Int64
            | Type::Float64
            | Type::Uuid
            | Type::Bytes
            | Type::Records
            | Type::Struct(_) => format!("{value}.as_ref()"),
        }
    }
}

fn rust_type(of: &Type) -> String {
    match of {
        Type::Bool => "bool".to_owned(),
        Type::Int8 => "i8".to_owned(),
        Type::Int16 => "i16".to_owned(),
        Type::Uint16 => "u16".to_owned(),
        Type::Int32 => "i32".to_owned(),
        Type::Uint32 => "u32".to_owned(),
        Type::Int64 => "i64".to_owned(),
        Type::Float64 => "f64".to_owned(),
        Type::Uuid => "Uuid".to_owned(),
        Type::String => "String".to_owned(),
        Type::Bytes => "Bytes".to_owned(),
        Type::Records => "Slices".to_owned(),
        Type::Struct(name) => name.clone(),
        Type::Array(element) => format!("Vec<{}>", rust_type(element)),
    }
}
