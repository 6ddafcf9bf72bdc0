//! One struct: its fields, its defaults, and how it is read and written.

use super::field::FieldCode;
use super::names;
use super::scope::{Condition, Scope};
use crate::model::{Field, Schema, Type, Versions};

pub(crate) struct StructCode<'schema> {
    pub(crate) schema: &'schema Schema,
    pub(crate) name: &'schema str,
    pub(crate) fields: Vec<FieldCode<'schema>>,
    pub(crate) scope: Scope,
    /// A message, and not a part of one.
    pub(crate) is_whole: bool,
}

/// All structs of a schema, the message first.
pub(crate) fn of_schema(schema: &Schema) -> Vec<StructCode<'_>> {
    let scope = Scope { versions: schema.versions, flexible: schema.flexible };
    let mut structs = Vec::new();
    collect(schema, &schema.name, &schema.fields, scope, &mut structs);
    for shared in &schema.structs {
        collect(schema, &shared.name, &shared.fields, scope.within(shared.versions), &mut structs);
    }
    if let Some(whole) = structs.first_mut() {
        whole.is_whole = true;
    }
    structs
}

fn collect<'schema>(
    schema: &'schema Schema,
    name: &'schema str,
    fields: &'schema [Field],
    scope: Scope,
    structs: &mut Vec<StructCode<'schema>>,
) {
    let reached = fields.iter().filter(|field| !scope.present(field).is_empty());
    let code = |field: &'schema Field| FieldCode {
        field,
        scope,
        label: format!("{name}.{}", names::snake(&field.name)),
    };
    let fields = reached.clone().map(code).collect();
    structs.push(StructCode { schema, name, fields, scope, is_whole: false });
    for field in reached.filter(|field| !field.fields.is_empty()) {
        let inner = scope.within(field.versions);
        collect(schema, field.of.struct_name().unwrap_or_default(), &field.fields, inner, structs);
    }
}

impl StructCode<'_> {
    fn flexible(&self) -> Condition {
        self.scope.condition(self.scope.flexible)
    }

    pub(crate) fn render(&self) -> String {
        let mut text = self.declaration();
        text.push_str(&self.default());
        text.push_str(&format!(
            "impl Message for {} {{ const BYTES_MIN: usize = {};\n{}\n{} }}\n\n",
            self.name,
            self.bytes_min(),
            self.decode(),
            self.encode()
        ));
        text
    }

    fn has_derived_default(&self) -> bool {
        self.fields.iter().all(FieldCode::default_is_derived)
    }

    fn declaration(&self) -> String {
        let derived = if self.has_derived_default() { ", Default" } else { "" };
        let mut text =
            format!("#[derive(Clone, Debug, PartialEq{derived})]\npub struct {} {{", self.name);
        for field in &self.fields {
            text.push_str(&format!("pub {}: {},\n", field.name(), field.rust_type()));
        }
        if self.flexible() != Condition::Never {
            text.push_str("pub unknown_tagged_fields: UnknownTags,\n");
        }
        text.push_str("}\n\n");
        text
    }

    fn default(&self) -> String {
        if self.has_derived_default() {
            return String::new();
        }
        let mut text = format!("impl Default for {} {{ fn default() -> Self {{ Self {{", self.name);
        for field in &self.fields {
            text.push_str(&format!("{}: {},\n", field.name(), field.default_expression()));
        }
        if self.flexible() != Condition::Never {
            text.push_str("unknown_tagged_fields: UnknownTags::default(),\n");
        }
        text.push_str("} } }\n\n");
        text
    }

    /// What both directions begin with.
    fn opening(&self, error: &str) -> String {
        let mut text = String::new();
        if self.is_whole {
            let range = "Self::VERSIONS.contains(&version)";
            let refusal = format!("{error}::UnsupportedVersion {{ name: Self::NAME, version }}");
            text.push_str(&format!("if !{range} {{ return Err({refusal}); }}\n"));
        }
        if let Condition::If(condition) = self.flexible() {
            text.push_str(&format!("let flexible = {condition};\n"));
        }
        text
    }

    fn tagged_fields(&self) -> Vec<(u32, &FieldCode<'_>)> {
        let tagged = |field: &&FieldCode<'_>| !self.scope.tagged(field.field).is_empty();
        let fields = self.fields.iter().filter(tagged);
        let mut fields =
            fields.filter_map(|field| Some((field.field.tag?, field))).collect::<Vec<_>>();
        fields.sort_by_key(|(tag, _)| *tag);
        fields
    }

    fn decode(&self) -> String {
        let tagged = self.tagged_fields();
        let mut literal = "Self {".to_owned();
        for field in &self.fields {
            literal.push_str(&format!("{}: {},\n", field.name(), self.read(field)));
        }
        let flexible = self.flexible();
        if flexible != Condition::Never {
            let unknown = match (&flexible, tagged.is_empty()) {
                (Condition::Always, true) => "reader.unknown_tags()?",
                (_, true) => {
                    "if flexible { reader.unknown_tags()? } else { UnknownTags::default() }"
                }
                (_, false) => "UnknownTags::default()",
            };
            literal.push_str(&format!("unknown_tagged_fields: {unknown},\n"));
        }
        literal.push('}');
        let body = if tagged.is_empty() {
            format!("Ok({literal})")
        } else {
            let tags = self.read_tags(&tagged);
            format!("let mut value = {literal};\n{tags}\nOk(value)")
        };
        let opening = self.opening("DecodeError");
        format!(
            "fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {{ {opening}{body} }}\n"
        )
    }

    fn read(&self, field: &FieldCode<'_>) -> String {
        let plain = self.scope.plain(field.field);
        let scope = self.scope.within(plain);
        match self.scope.condition(plain) {
            Condition::Always => field.read(scope),
            Condition::Never => field.default_expression(),
            Condition::If(condition) => {
                let read = field.read(scope);
                format!("if {condition} {{ {read} }} else {{ {} }}", field.default_expression())
            }
        }
    }

    fn read_tags(&self, tagged: &[(u32, &FieldCode<'_>)]) -> String {
        let flexible = self.scope.within(self.scope.flexible);
        let mut arms = String::new();
        for (tag, field) in tagged {
            let versions = self.scope.tagged(field.field);
            let read = field.read(self.scope.within(versions));
            let name = field.name();
            match flexible.condition(versions) {
                Condition::If(condition) => arms.push_str(&format!(
                    "{tag} if {condition} => value.{name} = {read},\n\
                     {tag} => return Err(DecodeError::TagNotInVersion {{ tag, version }}),\n"
                )),
                Condition::Always | Condition::Never => {
                    arms.push_str(&format!("{tag} => value.{name} = {read},\n"));
                }
            }
        }
        let read = format!(
            "value.unknown_tagged_fields = reader.tags(&mut |tag, reader| {{ \
             match tag {{ {arms} _ => return Ok(false), }} Ok(true) }})?;"
        );
        match self.flexible() {
            Condition::If(_) => format!("if flexible {{ {read} }}"),
            Condition::Always | Condition::Never => read,
        }
    }

    fn encode(&self) -> String {
        let mut body = self.opening("EncodeError");
        for field in &self.fields {
            body.push_str(&self.write(field));
            body.push('\n');
        }
        let tagged = self.tagged_fields();
        let tags = if tagged.is_empty() {
            "writer.unknown_tags(&self.unknown_tagged_fields)?;".to_owned()
        } else {
            self.write_tags(&tagged)
        };
        match self.flexible() {
            Condition::Always => body.push_str(&tags),
            Condition::Never => {}
            Condition::If(_) => {
                let label = format!("{}.unknown_tagged_fields", self.name);
                let none = "self.unknown_tagged_fields.0.is_empty()";
                let check = format!("must_be_default({none}, {label:?}, version)?;");
                body.push_str(&format!("if flexible {{ {tags} }} else {{ {check} }}"));
            }
        }
        format!(
            "fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {{ {body} Ok(()) }}\n"
        )
    }

    fn write(&self, field: &FieldCode<'_>) -> String {
        let plain = self.scope.plain(field.field);
        let present = self.scope.present(field.field);
        let write = field.write(self.scope.within(plain));
        let check = (!field.field.ignorable && !present.covers(self.scope.versions)).then(|| {
            let is_default = field.is_default();
            format!("must_be_default({is_default}, {:?}, version)?;", field.label)
        });
        match (self.scope.condition(plain), check) {
            (Condition::Always, _) => write,
            (Condition::If(condition), None) => format!("if {condition} {{ {write} }}"),
            (Condition::If(condition), Some(check)) if plain == present => {
                format!("if {condition} {{ {write} }} else {{ {check} }}")
            }
            (Condition::If(condition), Some(check)) => {
                let absent = self.absent(present);
                format!("if {condition} {{ {write} }}\n{absent} {{ {check} }}")
            }
            (Condition::Never, Some(check)) => {
                format!("{} {{ {check} }}", self.absent(present))
            }
            (Condition::Never, None) => String::new(),
        }
    }

    fn absent(&self, present: Versions) -> String {
        match self.scope.condition(present) {
            Condition::If(condition) => format!("if !({condition})"),
            Condition::Always => "if false".to_owned(),
            Condition::Never => "if true".to_owned(),
        }
    }

    fn write_tags(&self, tagged: &[(u32, &FieldCode<'_>)]) -> String {
        let flexible = self.scope.within(self.scope.flexible);
        let mut text = "let mut tags = TagWriter::new(&self.unknown_tagged_fields);\n".to_owned();
        for (tag, field) in tagged {
            let versions = self.scope.tagged(field.field);
            let write = field.write(self.scope.within(versions));
            let holds = match flexible.condition(versions) {
                Condition::If(condition) => format!("{condition} && "),
                Condition::Always | Condition::Never => String::new(),
            };
            text.push_str(&format!(
                "if {holds}!({}) {{ tags.field({tag}, &mut |writer| {{ {write} Ok(()) }})?; }}\n",
                field.is_default()
            ));
        }
        text.push_str("tags.finish(writer)?;");
        text
    }

    fn bytes_min(&self) -> usize {
        let Versions { low, high } = self.scope.versions;
        let sizes = (low..=high).map(|version| {
            let fields = self.fields.iter().map(|field| field.field);
            struct_bytes_min(self.schema, fields, version)
        });
        sizes.min().unwrap_or(0)
    }
}

fn struct_bytes_min<'schema>(
    schema: &'schema Schema,
    fields: impl Iterator<Item = &'schema Field>,
    version: i16,
) -> usize {
    let tags = usize::from(schema.flexible.contains(version));
    let plain = fields.filter(|field| field.versions.before(field.tagged).contains(version));
    plain.map(|field| field_bytes_min(schema, field, version)).sum::<usize>() + tags
}

fn field_bytes_min(schema: &Schema, field: &Field, version: i16) -> usize {
    let flexible = field.flexible.unwrap_or(schema.flexible).contains(version);
    match &field.of {
        Type::Bool | Type::Int8 => 1,
        Type::Int16 | Type::Uint16 => 2,
        Type::Int32 | Type::Uint32 => 4,
        Type::Int64 | Type::Float64 => 8,
        Type::Uuid => 16,
        Type::String | Type::Bytes | Type::Records | Type::Array(_) if flexible => 1,
        Type::String => 2,
        Type::Bytes | Type::Records | Type::Array(_) => 4,
        Type::Struct(_) if field.nullable.contains(version) => 1,
        Type::Struct(name) => {
            let shared = schema.structs.iter().find(|shared| shared.name == *name);
            let fields = shared.map_or(&field.fields, |shared| &shared.fields);
            struct_bytes_min(schema, fields.iter(), version)
        }
    }
}
