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
  let prompt = options.prompt; // comes with the first token, so that a refusal does not follow half a text
  for await (const event of library.generate({ ...options, model, signal })) {
    if (event.type === "warning") {
      screen.note(`comp: warning: ${event.message}`);
      continue;
    }
    if (event.type === "done") screen.print(json ? JSON.stringify(event.result) : "");
    else if (!json) screen.printPiece(prompt + event.text);
    prompt = "";
  }
}
