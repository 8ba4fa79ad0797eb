// How far a run is: one live line on a terminal, a plain line a minute in a pipe.
import type { StageEvent, StageName } from "../events/common.ts";
import { formatSeconds } from "../report/format.ts";
import type { Screen } from "./screen.ts";

const VERBS: Record<StageName, string> = {
  generate: "generating calibration text",
  "layer-importance": "scoring layers",
  "neuron-importance": "scoring neurons",
  gradient: "computing gradients",
  ablation: "ablating single layers",
  "dense-sums": "summing up layers",
  trial: "trying a cut",
  prune: "pruning",
  write: "writing",
  verify: "verifying",
  evaluate: "evaluating",
  bench: "measuring speed",
};

const SECONDS_BETWEEN_PLAIN_LINES = 60;

/** Work behind the first steps of a stage, in a unit of its own; where there is no row, each step is as much as any other. */
const WORK: Partial<Record<StageName, (done: number) => number>> = {
  ablation: (done) => done * (done + 3), // a layer takes all copies of the states that the layers before it have left
};

/** Returns the listener for stage events. `now` is a clock in seconds. */
export function createProgress(screen: Screen, now: () => number): (event: StageEvent) => void {
  let last: StageEvent | undefined;
  let first: TimedStep | undefined;
  let lastPlainLine = now();
  return (event) => {
    if (event.name !== last?.name || event.done < last.done) first = undefined; // or the stage begins again
    last = event;
    if (event.done > 0) first ??= { done: event.done, at: now() };
    const line = renderStage(event, first && { done: first.done, seconds: now() - first.at });
    screen.live(event.done < event.total ? line : "");
    if (screen.isTerminal || now() - lastPlainLine < SECONDS_BETWEEN_PLAIN_LINES) return;
    screen.note(line);
    lastPlainLine = now();
  };
}

/** When a stage had done how much. */
interface TimedStep {
  readonly done: number;
  readonly at: number;
}

/**
 * "pruning 12/30, 1 min 20 s left". The time left follows from the stage's own pace since its first step, which takes along what
 * is done but once; before the second nothing is known of it.
 */
export function renderStage(
  { name, done, total }: StageEvent,
  since?: { readonly done: number; readonly seconds: number },
): string {
  const steps = `${VERBS[name]} ${done}/${total}`;
  if (since === undefined || done <= since.done) return steps;
  const work = WORK[name] ?? ((count) => count);
  const pace = since.seconds / (work(done) - work(since.done));
  return `${steps}, ${formatSeconds(pace * (work(total) - work(done)))} left`;
}
