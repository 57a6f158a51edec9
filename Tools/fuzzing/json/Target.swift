import JSON

/// The input is any bytes, read as JSON. Reading and skipping agree, and accepted values round-trip through the writer.
func fuzz(_ input: UnsafeRawBufferPointer) {
    let skipping = failure { () throws(JSONError) in
        var reader = JSONReader(input, name: "input")
        try reader.skipValue()
        try reader.finish()
    }
    do throws(JSONError) {
        let value = try JSONValue(parsing: input, name: "input")
        check(skipping == nil, "reading succeeds, but skipping fails: \(skipping?.description ?? "")")
        check(String(validating: input, as: UTF8.self) != nil, "reading accepts invalid UTF-8")
        for pretty in [false, true] {
            let text = value.serialized(pretty: pretty)
            let again = try JSONValue(parsing: text)
            let isSame = again == value && bytes(again.serialized(pretty: pretty)) == bytes(text)
            check(isSame, "does not round-trip: \(text)")
        }
        inspect(value)
        var reader = JSONReader(input)
        try compare(&reader, value)
    } catch {
        check(!error.description.isEmpty && skipping == error, "skipping succeeds, but reading fails: \(error)")
    }
}

private func failure(_ body: () throws(JSONError) -> Void) -> JSONError? {
    do throws(JSONError) { try body() } catch { return error }
    return nil
}

/// Checks the conversions of all numbers, and that an error can describe every value.
private func inspect(_ value: JSONValue) {
    check(!JSONField(value, name: "input").error(expected: "another").description.isEmpty, "an empty description")
    switch value {
    case .number(let number):
        if let int = number.int {
            check(JSONNumber(int).int == int, "\(number.text) does not round-trip")
            check(number.double == Double(int), "\(number.text) differs as a double")
        }
        if let double = number.double {
            check(JSONNumber(double)?.double?.bitPattern == double.bitPattern, "\(number.text) does not round-trip")
        }
    case .array(let elements): for element in elements { inspect(element) }
    case .object(let members):
        for member in members { inspect(member.value) }
        if let key = members.first?.key { _ = try? JSONField(value, name: "input")[key].int() }
    case .null, .bool, .string: break
    }
}

/// Reads the text again and checks that strings read as bytes equal those of `value`, except for lone surrogates, which
/// a String cannot contain.
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
        check(try !reader.nextElement(), "more elements than in the value")
    case .object(let members):
        try reader.beginObject()
        for member in members {
            guard let key = try reader.nextKeyBytes() else { fatalError("fewer members than in the value") }
            check(isSame(key, member.key), "other bytes than \(member.key)")
            try compare(&reader, member.value)
        }
        check(try reader.nextKey() == nil, "more members than in the value")
    case .null, .bool, .number: try reader.skipValue()
    }
}
