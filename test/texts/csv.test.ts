import { describe, expect, test } from "vitest";
import { csvDocuments } from "../../src/texts/csv.ts";

describe("the column text", () => {
  test.each([
    ["of several", "id,text\n1,a\n2,b", ["a", "b"]],
    ["alone", "text\na\nb\n", ["a", "b"]],
    ["beside an index without a name", ",text\n0,a\n", ["a"]],
    ["quoted: separators, line breaks, doubled quotation marks", 'id,text\n1,"a, ""b""\nc"\n2,""', ['a, "b"\nc', ""]],
    ["with a quotation mark inside", 'id,text\n1,a 5" disk\n', ['a 5" disk']],
    ["empty cells and blank lines", "\nid,text\n1,\n\n2,b\n\n", ["", "b"]],
    ["separated by semicolons", '"id";"text"\r\n1;a,b\r\n2;"c;d"', ["a,b", "c;d"]],
    ["separated by tabs", 'id\ttext\n1\ta,b "c"\n', ['a,b "c"']],
    ["with line ends of an old Mac", "id,text\r1,a\r2,b", ["a", "b"]],
    ["with spaces around the names", "id , text \n1,a", ["a"]],
    ["of a table without rows", "id,text\n", []],
    ["of an empty file", "\n \n", []],
  ])("%s", (_, table, expected) => expect(csvDocuments(table, "x.csv")).toEqual(expected));
});

describe("a bad table is refused", () => {
  test.each([
    ["id,body\n1,a", "x.csv has no column named text; its columns are id, body"],
    ["id;body;n\n1;a;2", "x.csv has no column named text; its columns are id, body, n"],
    ["id,Text\n1,a", "x.csv has no column named text; its columns are id, Text"],
    ['id,text\n1,"a\nb"\n2,b,c', "x.csv, line 4 has 3 fields, the header 2"],
    ['id,text\n1,a\n2,"b\n3,c\n', "x.csv, line 3 opens a quotation mark that nothing closes"],
    ['id,text\n1,"a \\"b\\" c"\n', "x.csv, line 2 goes on after a closing quotation mark"],
    ['"id\n', "x.csv, line 1 opens a quotation mark that nothing closes"],
  ])("%j", (table, message) => expect(() => csvDocuments(table, "x.csv")).toThrow(message));
});
