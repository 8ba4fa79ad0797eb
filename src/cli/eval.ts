// comp eval MODEL: perplexity on a text and, against a dense model, KL divergence.
import * as z from "zod";
import type { EvalResult } from "../events/model.ts";
import { readText } from "../node/read-text.ts";
import { EvalOptions } from "../options/eval.ts";
import { describeDevice, formatFigure, formatInteger, formatPercent, formatSeconds } from "../report/format.ts";
import { OVER_KEPT_TOKENS } from "../report/vocabulary.ts";
import type { Command, CommandContext } from "./command.ts";
import { TEXT_FORMATS } from "./paths.ts";
import { createProgress } from "./progress.ts";

type EvalFlags = EvalOptions & { text: string; dense?: string; json: boolean };

export const evalCommand: Command = {
  name: "eval",
  summary: "measure perplexity, and KL divergence from a dense model",
  flags: z
    .strictObject({
      text: z.string().describe(`${TEXT_FORMATS} to judge on`).meta({ value: "FILE" }),
      dense: z.string().optional().describe("the model before pruning, to compare with").meta({ value: "MODEL" }),
    })
    .extend(EvalOptions.shape)
    .extend({ json: z.boolean().default(false).describe("print the result as one line of JSON") }),
  examples: ["comp eval ./smaller --text wiki.test.raw --context 512 --windows 16 --dense ./SmolLM2-135M"],
  run: runEval,
};

async function runEval(model: string, flags: EvalFlags, { library, screen, signal }: CommandContext): Promise<void> {
  const { text: file, json, ...options } = flags;
  const request = { ...options, model, text: await readText(file), signal };
  const showStage = createProgress(screen, () => performance.now() / 1000);
  try {
    for await (const event of library.evaluate(request)) {
      if (event.type === "stage") showStage(event);
      else if (event.type === "warning") screen.note(`comp: warning: ${event.message}`);
      else if (json) screen.print(JSON.stringify(event.result));
      else for (const line of renderEvaluation(event.result)) screen.print(line);
    }
  } finally {
    screen.live("");
  }
}

export function renderEvaluation(result: EvalResult): string[] {
  const { densePerplexity, klDivergence, topOneAgreement } = result;
  const lines = [`perplexity      ${formatFigure(result.perplexity)}`];
  if (densePerplexity !== undefined) lines.push(`dense           ${formatFigure(densePerplexity)}`);
  if (klDivergence !== undefined) lines.push(`KL divergence   ${formatFigure(klDivergence)} nats a token`);
  if (topOneAgreement !== undefined) lines.push(`same choice     ${formatPercent(topOneAgreement)} of tokens`);
  if (result.keptTokens !== undefined) lines.push(`                ${OVER_KEPT_TOKENS}`);
  const extent = `${formatInteger(result.tokens)} tokens in ${result.windows} windows of ${result.context}`;
  return [
    ...lines,
    `judged on       ${extent} of ${result.text}, ${formatSeconds(result.seconds)}${describeDevice(result.device)}`,
  ];
}
