// What the whole model says of the tokens that a smaller vocabulary does not have.
import type { Backend } from "../compute/backend.ts";
import { embed } from "../forward/run/embed.ts";
import { runHead } from "../forward/run/head.ts";
import { LayerRunner, runLayers } from "../forward/run/layer-runner.ts";
import type { Model } from "../model/model.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";

/**
 * The probability of the next token that a model gives to those that `cut` does not have, mean over all tokens of the windows.
 *
 * @param cut the same model with fewer rows of its head
 */
export async function removedProbability(
  backend: Backend,
  model: Model,
  cut: Model,
  windows: TokenWindows,
): Promise<number> {
  const runner = new LayerRunner(backend, model.spec);
  try {
    const states = await embed(model, windows);
    await runLayers(runner, model, states);
    const noTargets = new Int32Array(windows.ids.length);
    const [all, kept] = [
      await runHead(runner.programs, { model, hidden: states.all }, noTargets),
      await runHead(runner.programs, { model: cut, hidden: states.all }, noTargets),
    ];
    const removed = all.logSumExp.map((sum, i) => 1 - Math.exp(Math.min(0, kept.logSumExp[i]! - sum)));
    return removed.reduce((total, share) => total + share, 0) / removed.length;
  } finally {
    await runner.release();
  }
}
