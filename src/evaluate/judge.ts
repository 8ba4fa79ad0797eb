// Held-out windows that judge pruned models against the dense one.
import { remembered } from "../cache/remembered.ts";
import type { Backend } from "../compute/backend.ts";
import type { Quality } from "../events/common.ts";
import { embed } from "../forward/run/embed.ts";
import { ResidentStates } from "../forward/run/hidden-states.ts";
import { type LayerRunner, runLayers } from "../forward/run/layer-runner.ts";
import type { Model } from "../model/model.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import type { RunContext } from "../run-context.ts";
import { type Evaluation, evaluateHidden, evaluateModel, perplexityOfHidden } from "./compare-models.ts";
import { judgedWhole } from "./judged-windows.ts";

/** Judges any number of pruned models; what the dense model has to say about the windows is found out once. */
export class Judge {
  /** Windows that took no part in any statistics. */
  readonly windows: TokenWindows;
  #dense: ResidentStates | undefined;

  constructor(windows: TokenWindows) {
    this.windows = windows;
  }

  /** Has the dense model's hidden states after its last layer computed, unless they are known. */
  async meetDense(run: RunContext, runner: LayerRunner, model: Model): Promise<void> {
    if (this.#dense) return;
    const { windows } = this;
    const all = await remembered(run, { name: "dense-states", model, of: { windows } }, async () => {
      const states = await embed(model, windows);
      await runLayers(runner, model, states, run.signal);
      return states.all;
    });
    this.#dense = new ResidentStates(windows, model.spec, all);
  }

  /** Quality of a pruned model whose hidden states after its last layer are `states`; those of the dense model must be known. */
  async qualityOf({ programs }: LayerRunner, model: Model, states: ResidentStates): Promise<Quality> {
    return qualityIn(await evaluateHidden(programs, model, this.windows, states, this.#dense!));
  }

  /** Perplexity alone, of a model whose hidden states after its last layer are `states`. */
  perplexityOf({ programs }: LayerRunner, model: Model, states: ResidentStates): Promise<number> {
    return perplexityOfHidden(programs, model, this.windows, states);
  }

  /** Quality of a model that has been written, all of whose weights may be rounded; the dense model's hidden states must be known. */
  async qualityOfWritten(backend: Backend, written: Model, dense: Model): Promise<Quality> {
    const denseHidden = async (): Promise<Float32Array> => this.#dense!.all;
    return qualityIn(await evaluateModel(backend, written, judgedWhole(this.windows), { dense, denseHidden }));
  }
}

function qualityIn({ perplexity, tokens, comparison }: Evaluation): Quality {
  const { densePerplexity, klDivergence, topOneAgreement } = comparison!;
  return {
    on: "held-out calibration windows",
    tokens,
    perplexity: { before: densePerplexity, after: perplexity },
    klDivergence,
    topOneAgreement,
  };
}
