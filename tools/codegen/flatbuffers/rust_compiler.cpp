// The part of flatc that is needed here: reads one schema, writes its Rust. All of flatc is thirty
// more generators, which take minutes to build.
//
// Usage: rust_compiler SCHEMA FOLDER/

#include <cstdio>
#include <string>

#include "flatbuffers/idl.h"
#include "flatbuffers/util.h"
#include "idl_gen_rust.h"

int main(int count, char **arguments) {
  if (count != 3) {
    std::fputs("usage: rust_compiler SCHEMA FOLDER/\n", stderr);
    return 2;
  }
  const std::string schema = arguments[1];
  std::string text;
  if (!flatbuffers::LoadFile(schema.c_str(), false, &text)) {
    std::fprintf(stderr, "%s cannot be read\n", schema.c_str());
    return 1;
  }
  flatbuffers::IDLOptions options;
  options.lang_to_generate = flatbuffers::IDLOptions::kRust;
  flatbuffers::Parser parser(options);
  if (!parser.Parse(text.c_str(), nullptr, schema.c_str())) {
    std::fprintf(stderr, "%s\n", parser.error_.c_str());
    return 1;
  }
  const std::string name = flatbuffers::StripPath(flatbuffers::StripExtension(schema));
  const auto generator = flatbuffers::NewRustCodeGenerator();
  return generator->GenerateCode(parser, arguments[2], name) ==
                 flatbuffers::CodeGenerator::Status::OK
             ? 0
             : 1;
}
