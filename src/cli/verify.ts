// comp verify MODEL: the proof that a checkpoint is whole and runs.
import * as z from "zod";
import type { Check } from "../events/model.ts";
import { VerifyOptions } from "../options/verify.ts";
import { formatBytes, formatCount, formatFigure, formatInteger, formatSeconds } from "../report/format.ts";
import type { Command, CommandContext } from "./command.ts";
import { renderDtypes, renderTokenizer } from "./inspect.ts";
import { createProgress } from "./progress.ts";

type VerifyFlags = VerifyOptions & { json: boolean };

export const verifyCommand: Command = {
  name: "verify",
  summary: "prove that a model is whole, loads and runs",
  flags: VerifyOptions.extend({
    json: z.boolean().default(false).describe("print the checks and their figures as one line of JSON"),
  }),
  examples: ["comp verify ./SmolLM2-135M-pruned", "comp verify model-pruned.gguf"],
  run: runVerify,
};

async function runVerify(
  model: string,
  { json, ...options }: VerifyFlags,
  { library, screen, signal }: CommandContext,
): Promise<void> {
  const showStage = createProgress(screen, () => performance.now() / 1000);
  try {
    for await (const event of library.verifyCheckpoint({ ...options, model, signal })) {
      if (event.type === "stage") showStage(event);
      else if (event.type === "warning") screen.note(`comp: warning: ${event.message}`);
      else if (event.type === "check" && !json) screen.print(renderCheck(event));
      else if (event.type === "done")
        screen.print(json ? JSON.stringify(event.result) : `all passed      in ${formatSeconds(event.result.seconds)}`);
    }
  } finally {
    screen.live("");
  }
}

export const renderCheck = (check: Check): string => `${check.name.padEnd(14)}  ${figuresOf(check)}`;

function figuresOf(check: Check): string {
  switch (check.name) {
    case "files":
      return `${check.files} with weights of ${formatBytes(check.bytes)}, whole`;
    case "tensors":
      return `${check.tensors} as described, none missing: ${formatCount(check.parameters)} parameters, ${renderDtypes(check.dtypes)}`;
    case "values":
      return `${formatInteger(check.values)}, all finite`;
    case "tokenizer":
      return `${renderTokenizer(check)}; ${check.characters} characters to ${check.tokens} tokens and back`;
    case "forward":
      return `perplexity ${formatFigure(check.perplexity)} on ${check.tokens} tokens of the bundled text, then tokens ${check.firstTokens.join(", ")}`;
    case "llama.cpp":
      return check.loaded ? `loads it, then tokens ${check.firstTokens.join(", ")}` : `not asked: ${check.reason}`;
  }
}
