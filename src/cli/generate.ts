// comp generate MODEL: continues a prompt.
import * as z from "zod";
import { GenerateOptions } from "../options/generate.ts";
import type { Command, CommandContext } from "./command.ts";

type GenerateFlags = GenerateOptions & { json: boolean };

export const generateCommand: Command = {
  name: "generate",
  summary: "continue a prompt",
  flags: GenerateOptions.extend({
    json: z.boolean().default(false).describe("print prompt, text and token ids as one line of JSON"),
  }),
  examples: ['comp generate ./smaller --prompt "Once upon a time" --max-tokens 64'],
  run: runGenerate,
};

async function runGenerate(
  model: string,
  { json, ...options }: GenerateFlags,
  { library, screen, signal }: CommandContext,
): Promise<void> {
  const tokens: number[] = [];
  let text = "";
  for await (const token of library.generate(model, options, signal)) {
    // the prompt comes with the first token, so that a refusal does not follow half a text
    if (!json) screen.printPiece(tokens.length === 0 ? options.prompt + token.text : token.text);
    tokens.push(token.id);
    text += token.text;
  }
  screen.print(json ? JSON.stringify({ prompt: options.prompt, text, tokens }) : "");
}
