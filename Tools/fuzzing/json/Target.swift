import JSON

/// Any bytes as a JSON text: reading and skipping agree, and what was read is written and read again the same.
func fuzz(_ input: UnsafeRawBufferPointer) {
    let skipping = failure { () throws(JSONError) in
        var reader = JSONReader(input, name: "input")
        try reader.skipValue()
        try reader.finish()
    }
    do throws(JSONError) {
        let value = try JSONValue(parsing: input, name: "input")
        check(skipping == nil, "read, but not skipped: \(skipping?.description ?? "")")
        check(String(validating: input, as: UTF8.self) != nil, "read, though it is not UTF-8")
        for pretty in [false, true] {
            let text = value.serialized(pretty: pretty)
            let again = try JSONValue(parsing: text)
            let isSame = again == value && bytes(again.serialized(pretty: pretty)) == bytes(text)
            check(isSame, "not the same again: \(text)")
        }
        inspect(value)
        var reader = JSONReader(input)
        try compare(&reader, value)
    } catch {
        check(!error.description.isEmpty && skipping == error, "skipped, but not read: \(error)")
    }
}

private func failure(_ body: () throws(JSONError) -> Void) -> JSONError? {
    do throws(JSONError) { try body() } catch { return error }
    return nil
}

/// Numbers as numbers, and the errors that would name each value.
private func inspect(_ value: JSONValue) {
    check(!JSONField(value, name: "input").error(expected: "another").description.isEmpty, "an empty description")
    switch value {
    case .number(let number):
        if let int = number.int {
            check(JSONNumber(int).int == int, "\(number.text) is not the same again")
            check(number.double == Double(int), "\(number.text) is another number as a double")
        }
        if let double = number.double {
            check(JSONNumber(double)?.double?.bitPattern == double.bitPattern, "\(number.text) is not the same again")
        }
    case .array(let elements): for element in elements { inspect(element) }
    case .object(let members):
        for member in members { inspect(member.value) }
        if let key = members.first?.key { _ = try? JSONField(value, name: "input")[key].int() }
    case .null, .bool, .string: break
    }
}

/// Strings as bytes are the strings that were read, but for lone surrogates, which text cannot hold.
private func compare(_ reader: inout JSONReader, _ value: JSONValue) throws(JSONError) {
    func isSame(_ found: UnsafeRawBufferPointer, _ text: String) -> Bool {
        let valid = String(validating: found, as: UTF8.self)
        return valid.map { bytes($0) == bytes(text) } ?? text.unicodeScalars.contains("\u{FFFD}")
    }
    switch value {
    case .string(let text): check(isSame(try reader.readStringBytes(), text), "other bytes than \(text)")
    case .array(let elements):
        try reader.beginArray()
        for element in elements where try reader.nextElement() { try compare(&reader, element) }
        check(try !reader.nextElement(), "more elements than were read")
    case .object(let members):
        try reader.beginObject()
        for member in members {
            guard let key = try reader.nextKeyBytes() else { fatalError("fewer members than were read") }
            check(isSame(key, member.key), "other bytes than \(member.key)")
            try compare(&reader, member.value)
        }
        check(try reader.nextKey() == nil, "more members than were read")
    case .null, .bool, .number: try reader.skipValue()
    }
}
