// What a message may hold, whoever wrote the name in it.
import { expect, test } from "vitest";
import { CompError } from "../src/errors.ts";

test("a message stays one line, and shows what would act on a terminal", () => {
  const { message } = new CompError("checkpoint", 'tensor "a\nb\u001b[31m\u202e" is Größe 4 🙂');
  expect(message).toBe('tensor "a\\u000ab\\u001b[31m\\u202e" is Größe 4 🙂');
});

test("a message that is too long loses its middle", () => {
  const { message } = new CompError("checkpoint", `it begins, ${"\n".repeat(1e6)}, it ends`);
  expect(message.length).toBeLessThanOrEqual(1000);
  expect(message).toMatch(/^it begins, .*….*, it ends$/);
});
