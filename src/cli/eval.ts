// comp eval MODEL: perplexity on a text and, against a dense model, KL divergence; accuracy on tasks.
import * as z from "zod";
import type { EvalResult, Evaluation, TaskEvent, TaskFigures } from "../events/model.ts";
import { writeWhole } from "../node/disk.ts";
import { readText } from "../node/read-text.ts";
import { EvalOptions } from "../options/eval.ts";
import { describeDevice, formatFigure, formatInteger, formatPercent, formatSeconds } from "../report/format.ts";
import { renderProbes } from "../report/probes.ts";
import { OVER_KEPT_TOKENS } from "../report/vocabulary.ts";
import type { Command, CommandContext } from "./command.ts";
import { TASK_DATA, TEXT_FORMATS } from "./paths.ts";
import { createProgress } from "./progress.ts";

type EvalFlags = EvalOptions & { text?: string; dense?: string; taskData?: string; items?: string; json: boolean };

export const evalCommand: Command = {
  name: "eval",
  summary: "measure perplexity, KL divergence from a dense model, accuracy on tasks and probes",
  flags: z
    .strictObject({
      text: z.string().optional().describe(`${TEXT_FORMATS} to judge on`).meta({ value: "FILE" }),
      dense: z.string().optional().describe("the model before pruning, to compare with").meta({ value: "MODEL" }),
    })
    .extend(EvalOptions.shape)
    .extend({
      taskData: TASK_DATA,
      items: z
        .string()
        .optional()
        .describe("write the answers to each question, in JSON Lines")
        .meta({ value: "FILE" }),
      json: z.boolean().default(false).describe("print the result as one line of JSON"),
    }),
  examples: [
    "comp eval ./smaller --text wiki.test.raw --context 512 --windows 16 --dense ./SmolLM2-135M",
    "comp eval ./smaller --text wiki.test.raw --protocol wanda",
    "comp eval ./smaller --probes",
    "comp eval ./smaller --tasks arc_easy,piqa --task-data ./data --limit 200",
  ],
  run: runEval,
};

async function runEval(model: string, flags: EvalFlags, { library, screen, signal }: CommandContext): Promise<void> {
  const { text: file, json, items: itemsFile, ...options } = flags;
  const text = file === undefined ? undefined : await readText(file);
  const showStage = createProgress(screen, () => performance.now() / 1000);
  const items: string[] = [];
  try {
    for await (const event of library.evaluate({ ...options, model, text, signal })) {
      if (event.type === "stage") showStage(event);
      else if (event.type === "warning") screen.note(`comp: warning: ${event.message}`);
      else if (event.type === "task") items.push(...renderItems(event));
      else if (json) screen.print(JSON.stringify(event.result));
      else for (const line of renderEvaluation(event.result)) screen.print(line);
    }
  } finally {
    screen.live("");
  }
  if (itemsFile !== undefined) await writeWhole(itemsFile, items.join(""));
}

/** A line of JSON for each question. */
const renderItems = ({ name, items }: TaskEvent): string[] =>
  items.map((item, index) => `${JSON.stringify({ task: name, index, ...item })}\n`);

/** Lines for people: the figures of the text, those of the tasks, and what they were found on. */
export function renderEvaluation(result: Evaluation): string[] {
  const { text, tasks, probes, seconds, device } = result;
  const lines = text === undefined ? [] : renderText(result as EvalResult);
  if (tasks) lines.push(...renderTasks(tasks));
  if (probes) lines.push(...renderProbes(probes));
  return [...lines, `took            ${formatSeconds(seconds)}${describeDevice(device)}`];
}

function renderTasks(tasks: Readonly<Record<string, TaskFigures>>): string[] {
  const share = (value: number, error: number): string => `${(100 * value).toFixed(2)} ± ${(100 * error).toFixed(2)}`;
  const rows = Object.entries(tasks).map(([name, { acc, accStderr, accNorm, accNormStderr, perplexity, n }]) => [
    name,
    share(acc, accStderr),
    accNorm === undefined ? "" : share(accNorm, accNormStderr!),
    perplexity === undefined ? "" : formatFigure(perplexity),
    formatInteger(n),
  ]);
  const table = [["task", "accuracy %", "normalised %", "perplexity", "questions"], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[i]!))).join("  "),
  );
}

function renderText(result: EvalResult): string[] {
  const { densePerplexity, klDivergence, topOneAgreement } = result;
  const lines = [
    `perplexity      ${formatFigure(result.perplexity)}`,
    `bits per byte   ${formatFigure(result.bitsPerByte)}`,
  ];
  if (densePerplexity !== undefined) lines.push(`dense           ${formatFigure(densePerplexity)}`);
  if (klDivergence !== undefined) lines.push(`KL divergence   ${formatFigure(klDivergence)} nats a token`);
  if (topOneAgreement !== undefined) lines.push(`same choice     ${formatPercent(topOneAgreement)} of tokens`);
  if (result.keptTokens !== undefined) lines.push(`                ${OVER_KEPT_TOKENS}`);
  return [...lines, `judged on       ${renderExtent(result)} of ${result.text}`];
}

function renderExtent({ tokens, windows, context, stride, protocol }: EvalResult): string {
  const apart = stride === undefined ? "" : `, ${stride} apart,`;
  const published = protocol === "windows" || protocol === "strided" ? "" : `, protocol ${protocol},`;
  return `${formatInteger(tokens)} tokens in ${windows} windows of ${context}${apart}${published}`;
}
