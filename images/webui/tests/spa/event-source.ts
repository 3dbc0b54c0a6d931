import { act } from "@testing-library/react";
import { vi } from "vitest";

/** What jsdom lacks: an EventSource, told by the test what comes. */
export class Source extends EventTarget {
  static readonly CLOSED = 2;
  static opened: Source[] = [];
  readyState = 1;

  /** For one test; `setup.ts` takes it away again. */
  static install() {
    Source.opened = [];
    vi.stubGlobal("EventSource", Source);
  }

  constructor(readonly url: string) {
    super();
    Source.opened.push(this);
  }

  close() {
    this.readyState = Source.CLOSED;
  }

  frame(kind: string, data: unknown) {
    act(() => void this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data) })));
  }

  tell(kind: string) {
    act(() => void this.dispatchEvent(new Event(kind)));
  }
}
