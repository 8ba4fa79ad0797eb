// comp curve MODEL: size against quality, before anything is written.
import * as z from "zod";
import type { CurveEvent } from "../events/prune.ts";
import { readTexts } from "../node/read-text.ts";
import { noCache } from "../options/common.ts";
import { CurveOptions } from "../options/curve.ts";
import {
  CURVE_HEADER,
  renderCurveVerdict,
  renderDense,
  renderMaking,
  renderPoint,
  renderQuantized,
} from "../report/curve.ts";
import type { Command, CommandContext } from "./command.ts";
import { CALIBRATION_FILES } from "./paths.ts";
import { createProgress } from "./progress.ts";
import { renderCalibration } from "./render.ts";
import type { Screen } from "./screen.ts";

type CurveFlags = Omit<CurveOptions, "calibration"> & { calibration: string[]; noCache: boolean; json: boolean };

export const curveCommand: Command = {
  name: "curve",
  summary: "show how good the model would be at several sizes",
  flags: CurveOptions.extend({
    calibration: CALIBRATION_FILES,
    noCache,
    json: z.boolean().default(false).describe("print one JSON object"),
  }),
  examples: [
    "comp curve ./SmolLM2-135M --calibration notes.txt",
    "comp curve ./SmolLM2-135M --sparsity 0.1,0.15,0.2 --as gguf",
    "comp curve ./SmolLM2-135M --quantized q8_0,q4_k_m,q3_k_m",
  ],
  run: runCurve,
};

async function runCurve(model: string, flags: CurveFlags, { library, screen, signal }: CommandContext): Promise<void> {
  const { calibration: files, json, ...options } = flags;
  const request = { ...options, model, calibration: await readTexts(files), signal };
  const showStage = createProgress(screen, () => performance.now() / 1000);
  try {
    for await (const event of library.curve(request)) {
      if (event.type === "stage") showStage(event);
      if (event.type === "warning") screen.note(`comp: warning: ${event.message}`);
      if (json && event.type === "done") screen.print(JSON.stringify(event.curve));
      if (!json) showEvent(screen, event, options.sparsityOf);
    }
  } finally {
    screen.live("");
  }
}

function showEvent(screen: Screen, event: CurveEvent, of: CurveOptions["sparsityOf"]): void {
  if (event.type === "calibration")
    for (const line of [renderCalibration(event), "", ...CURVE_HEADER]) screen.print(line);
  if (event.type === "point") screen.print(renderPoint(event.point, of));
  if (event.type === "quantized") screen.print(renderQuantized(event.point));
  if (event.type !== "done") return;
  screen.print(renderDense(event.curve));
  for (const line of renderCurveVerdict(event.curve)) screen.print(`\n${line}`);
  screen.print(
    `\nMeasured on held-out windows of the calibration text; comp prune writes any of these models. ${renderMaking(event.curve)}`,
  );
}
