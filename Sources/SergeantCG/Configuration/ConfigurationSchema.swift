/// The JSON Schema of a configuration file (draft 2020-12), for editors: made of the options that read the file.
///
/// An editor reads `8` as a number where ``YAML`` leaves a text, so what may be a number in a text may be one.
package enum ConfigurationSchema {
    private static let dialect = "https://json-schema.org/draft/2020-12/schema"

    /// The whole document, a line.
    package static var json: [UInt8] {
        var text = JSONText()
        text.object { schema in
            schema.member("$schema", .text(dialect))
            schema.member("title", .text("Configuration of sergeantcg"))
            schema.member("type", .text("object"))
            schema.member(
                "properties",
                object: { properties in
                    for setting in Setting.all where setting.scope == .supervisor {
                        properties.member(setting.name, object: { write(setting, to: &$0) })
                    }
                    properties.member(
                        ConfigurationFile.defaults,
                        object: {
                            writeOptions(
                                [.group], "What holds in every group that says nothing else.", to: &$0)
                        })
                    properties.member(ConfigurationFile.groups, object: { writeGroups(to: &$0) })
                })
            schema.member("required", .texts([ConfigurationFile.groups]))
            schema.member("additionalProperties", .boolean(false))
            schema.member(
                "$defs",
                object: { definitions in
                    for setting in Setting.all where setting.scope != .supervisor {
                        definitions.member(setting.name, object: { write(setting, to: &$0) })
                    }
                })
        }
        text.newline()
        return text.bytes
    }

    // MARK: Objects

    private static func writeGroups(to schema: inout JSONText) {
        schema.member("description", .text("The groups of workers, by their names."))
        schema.member("type", .text("object"))
        schema.member("minProperties", .integer(1))
        schema.member("propertyNames", object: { write(GroupConfiguration.nameSpelling, to: &$0) })
        schema.member(
            "additionalProperties",
            object: { group in
                writeOptions([.group, .program], "A group of workers that are all the same.", to: &group)
                group.member("oneOf", array: { writePrograms(to: &$0) })
            })
    }

    /// Those of these scopes, and no other.
    private static func writeOptions(
        _ scopes: Set<Setting.Scope>, _ description: String, to schema: inout JSONText
    ) {
        schema.member("description", .text(description))
        schema.member("type", .text("object"))
        schema.member(
            "properties",
            object: { properties in
                for setting in Setting.all where scopes.contains(setting.scope) {
                    properties.member(
                        setting.name, object: { $0.member("$ref", .text("#/$defs/\(setting.name)")) })
                }
            })
        schema.member("additionalProperties", .boolean(false))
    }

    /// What ``GroupSettings`` makes a program of: a command, or a module with a class.
    private static func writePrograms(to array: inout JSONText) {
        let sergeant = [Setting.workerModule.name, Setting.workerClass.name]
        let command = [Setting.command.name]
        for (needed, refused) in [(command, sergeant), (sergeant, command)] {
            array.object { program in
                program.member("required", .texts(needed))
                program.member(
                    "properties",
                    object: { properties in
                        for name in refused { properties.member(name, .boolean(false)) }
                    })
            }
        }
    }

    // MARK: Values

    private static func write(_ setting: Setting, to schema: inout JSONText) {
        schema.member("description", .text(setting.helpWithStandard))
        switch setting.shape {
        case .text, .flag, .variables: write(setting.spelling(), to: &schema)
        case .texts:
            schema.member(
                "anyOf",
                array: { array in
                    array.object { write(setting.spelling(), to: &$0) }
                    array.object { list in
                        list.member("type", .text("array"))
                        list.member("items", object: { write(setting.spelling(), to: &$0) })
                    }
                })
        case .words:
            schema.member("type", .text("array"))
            schema.member("minItems", .integer(1))
            // The first is the program.
            schema.member(
                "prefixItems", array: { array in array.object { write(Spelling.text(least: 1), to: &$0) } })
            schema.member("items", object: { write(setting.spelling(), to: &$0) })
        }
    }

    private static func write(_ spelling: Spelling, to schema: inout JSONText) {
        switch spelling {
        case .text(let least):
            write(.any, to: &schema)
            if least > 0 { schema.member("minLength", .integer(Int64(least))) }
        case .pattern(let pattern, let numbers):
            write(numbers, to: &schema)
            schema.member("pattern", .text(whole(pattern)))
        case .words(let words):
            schema.member("enum", .texts(words))
        case .flag:
            schema.member("enum", verbatim: Array(#"[true,false,"true","false"]"#.utf8))
        case .named(let names):
            schema.member("type", .text("object"))
            schema.member(
                "patternProperties",
                object: { properties in
                    for name in names {
                        properties.member(whole(name.pattern), object: { write(name.value, to: &$0) })
                    }
                })
            schema.member("additionalProperties", .boolean(false))
        }
    }

    private static func write(_ numbers: Spelling.Numbers?, to schema: inout JSONText) {
        switch numbers {
        case nil: schema.member("type", .text("string"))
        case .any: schema.member("type", .texts(["string", "number", "boolean"]))
        case .whole(let range, let least):
            schema.member("type", .texts(["string", "integer"]))
            schema.member("minimum", .unsigned(range.lowerBound))
            schema.member("maximum", .unsigned(range.upperBound))
            if least > 0 { writeGap(below: String(least), to: &schema) }
        case .decimal(let most, let least):
            schema.member("type", .texts(["string", "number"]))
            schema.member("minimum", .integer(0))
            schema.member("maximum", .unsigned(most))
            writeGap(below: least, to: &schema)
        case .decimalBelow(let limit):
            schema.member("type", .texts(["string", "number"]))
            schema.member("minimum", .integer(0))
            schema.member("exclusiveMaximum", .unsigned(limit))
        }
    }

    /// Nothing between 0 and this number.
    private static func writeGap(below least: String, to schema: inout JSONText) {
        schema.member(
            "not",
            object: { gap in
                gap.member("type", .text("number"))
                gap.member("exclusiveMinimum", .integer(0))
                gap.member("exclusiveMaximum", verbatim: Array(least.utf8))
            })
    }

    /// A schema's pattern may match anywhere.
    private static func whole(_ pattern: String) -> String { "^(?:\(pattern))$" }
}
