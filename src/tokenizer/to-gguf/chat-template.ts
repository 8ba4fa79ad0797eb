// Where a folder keeps its chat template: a file of its own, or tokenizer_config.json, there also as a list of named ones.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { isObject, readJsonObject } from "../tokenizer-json.ts";

/** The template for conversations; undefined when there is none. */
export async function chatTemplate(
  checkpoint: Checkpoint,
  tokenizerConfig: Readonly<Record<string, unknown>>,
): Promise<string | undefined> {
  const own = await checkpoint.readText("chat_template.jinja");
  if (own !== undefined) return own;
  const json = await readJsonObject(checkpoint, "chat_template.json");
  return defaultTemplate(json?.chat_template) ?? defaultTemplate(tokenizerConfig.chat_template);
}

function defaultTemplate(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const named = Array.isArray(value) ? value.filter(isObject).find(({ name }) => name === "default") : undefined;
  return typeof named?.template === "string" ? named.template : undefined;
}
