// comp vocabulary MODEL: how much texts take with how many tokens, before anything is written.
import * as z from "zod";
import { readTexts } from "../node/read-text.ts";
import { renderVocabularyCurve } from "../report/vocabulary.ts";
import type { Command, CommandContext } from "./command.ts";
import { TEXT_FORMATS } from "./paths.ts";

interface VocabularyFlags {
  readonly text: string[];
  readonly json: boolean;
}

export const vocabularyCommand: Command = {
  name: "vocabulary",
  summary: "show how many tokens texts need",
  flags: z.strictObject({
    text: z
      .array(z.string())
      .min(1)
      .describe(`${TEXT_FORMATS} whose tokens would stay, repeatable`)
      .meta({ value: "FILE", expected: "one or more files of text" }),
    json: z.boolean().default(false).describe("print one JSON object"),
  }),
  examples: ["comp vocabulary ./gemma-3-270m --text notes.txt --text chats.jsonl"],
  run: runVocabulary,
};

async function runVocabulary(
  model: string,
  { text, json }: VocabularyFlags,
  { library, screen, signal }: CommandContext,
): Promise<void> {
  for await (const { curve } of library.vocabulary({ model, texts: await readTexts(text), signal })) {
    if (json) screen.print(JSON.stringify(curve));
    else for (const line of renderVocabularyCurve(curve)) screen.print(line);
  }
  if (!json)
    screen.print(
      "\nHow many more tokens each text takes; comp prune --sparsity 0 --vocabulary FILE writes such a model.",
    );
}
