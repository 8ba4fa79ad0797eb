// How a task that reports becomes a stream: order, failure, and what happens when nobody wants more.
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { CompError } from "../../src/errors.ts";
import { type ReportingTask, streamEvents } from "../../src/node/stream-events.ts";
import { compError } from "../helpers/errors.ts";

/** All events, and the error that came after them. */
async function drain<Event>(events: AsyncIterable<Event>): Promise<{ seen: Event[]; error?: unknown }> {
  const seen: Event[] = [];
  try {
    for await (const event of events) seen.push(event);
    return { seen };
  } catch (error) {
    return { seen, error };
  }
}

/** Reports 1, 2, 3 ..., one a turn of the event loop, until the signal; a log tells when it began and when it had cleaned up. */
function endless(log: string[]): ReportingTask<number> {
  return async (report, signal) => {
    log.push("began");
    try {
      for (let i = 1; ; i++) {
        report(i);
        await delay(1);
        signal.throwIfAborted();
      }
    } finally {
      await delay(5);
      log.push("cleaned up");
    }
  };
}

describe("order", () => {
  test("events come as they were reported, what the task returns comes last", async () => {
    const stream = streamEvents<number>(async (report) => {
      report(1);
      report(2);
      await delay(1);
      report(3);
      return 4;
    });
    expect(await drain(stream)).toEqual({ seen: [1, 2, 3, 4] });
  });

  test("a task that returns nothing ends after what it reported, or with nothing", async () => {
    expect(await drain(streamEvents<number>(async (report) => void report(1)))).toEqual({ seen: [1] });
    expect(await drain(streamEvents<number>(async () => undefined))).toEqual({ seen: [] });
  });

  test("the task does not wait for its events to be read, none of which is lost", async () => {
    const log: string[] = [];
    const stream = streamEvents<number>(async (report) => {
      for (let i = 0; i < 100; i++) report(i);
      log.push("ended");
      return 100;
    });
    await stream.next();
    expect(log).toEqual(["ended"]);
    expect((await drain(stream)).seen).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  test("the task starts with the first request for an event, and never when there is none", async () => {
    const log: string[] = [];
    const stream = streamEvents(endless(log));
    await delay(5);
    await stream.return();
    expect(log).toEqual([]);
  });
});

describe("failure", () => {
  test("comes after the events before it, as it was thrown", async () => {
    const failure = new CompError("budget", "out of reach");
    const stream = streamEvents<number>(async (report) => {
      report(1);
      report(2);
      throw failure;
    });
    const { seen, error } = await drain(stream);
    expect(seen).toEqual([1, 2]);
    expect(error).toBe(failure);
  });

  test("without events is a failure too, and nobody has to wait for it", async () => {
    const stream = streamEvents<number>(async () => {
      throw new TypeError("x");
    });
    await expect(stream.next()).rejects.toThrow(TypeError);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});

describe("leaving early", () => {
  test("stops the task and waits until it has cleaned up", async () => {
    const log: string[] = [];
    for await (const event of streamEvents(endless(log))) if (event === 3) break;
    expect(log).toEqual(["began", "cleaned up"]);
  });

  test("by an error of one's own does so too, and the error stays one's own", async () => {
    const log: string[] = [];
    const consume = async (): Promise<void> => {
      for await (const event of streamEvents(endless(log))) throw new RangeError(`at ${event}`);
    };
    await expect(consume()).rejects.toThrow(new RangeError("at 1"));
    expect(log).toEqual(["began", "cleaned up"]);
  });

  test("keeps quiet about a task that then fails", async () => {
    const stream = streamEvents<number>(async (report, signal) => {
      report(1);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw new Error("stopped in the middle");
    });
    await stream.next();
    expect(await stream.return()).toEqual({ done: true, value: undefined });
  });
});

describe("the signal from outside", () => {
  test("reaches the task, whose end is told as a stop", async () => {
    const log: string[] = [];
    const controller = new AbortController();
    const { seen, error } = await drain(
      (async function* () {
        for await (const event of streamEvents(endless(log), controller, "nothing written")) {
          yield event;
          if (event === 2) controller.abort();
        }
      })(),
    );
    expect(seen.slice(0, 2)).toEqual([1, 2]);
    expect(error).toBeInstanceOf(CompError);
    expect(error).toMatchObject({ kind: "aborted", message: "nothing written", cause: { name: "AbortError" } });
    expect(log).toEqual(["began", "cleaned up"]);
  });

  test("does not hide an error that says more", async () => {
    const signal = AbortSignal.abort();
    const full = new CompError("output", "the disk is full");
    const failing = async (): Promise<never> => {
      throw full;
    };
    expect(await compError(streamEvents(failing, { signal }).next())).toBe(full);
  });

  test("that comes before the start lets the task refuse by itself", async () => {
    const log: string[] = [];
    const error = await compError(drainAll(streamEvents(endless(log), { signal: AbortSignal.abort() })));
    expect([error.kind, error.message, log]).toEqual(["aborted", "stopped", ["began", "cleaned up"]]);
  });

  test("that comes too late changes nothing", async () => {
    const controller = new AbortController();
    const stream = streamEvents<number>(async () => 1, controller);
    expect(await stream.next()).toEqual({ done: false, value: 1 });
    controller.abort();
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});

async function drainAll(events: AsyncIterable<unknown>): Promise<void> {
  const { error } = await drain(events);
  if (error !== undefined) throw error;
}
