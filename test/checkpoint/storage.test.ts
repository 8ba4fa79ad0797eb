import { expect, test } from "vitest";
import { baseName } from "../../src/checkpoint/storage.ts";

test.each([
  ["/a/b/", "b"],
  ["C:\\models\\b", "b"],
  ["b.gguf", "b.gguf"],
])("%s is named %s", (path, name) => expect(baseName(path)).toBe(name));
