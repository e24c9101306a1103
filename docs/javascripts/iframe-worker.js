// Search of pages that are opened from a disk: browsers refuse workers of file: addresses, so the
// script of the worker runs in a frame of its own. On a server this does nothing.

(() => {
  "use strict";
  if (location.protocol !== "file:") return;

  class IFrameWorker extends EventTarget {
    constructor(address) {
      super();
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      // What a worker finds in its scope.
      inside.document.open();
      inside.document.write("<!doctype html><html><body></body></html>");
      inside.document.close();
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      inside.importScripts = (...addresses) =>
        addresses.reduce((before, each) => before.then(() => this.load(each)), Promise.resolve());
      this.load(address).then(() => {
        this.ready = true;
        for (const data of this.waiting) this.send(data);
      });
    }

    load(address) {
      return new Promise((done, failed) => {
        const { document: inner } = this.frame.contentWindow;
        const script = inner.createElement("script");
        script.addEventListener("load", done);
        script.addEventListener("error", failed);
        script.src = address;
        inner.body.append(script);
      });
    }

    send(data) {
      const { MessageEvent: Inner } = this.frame.contentWindow;
      this.frame.contentWindow.dispatchEvent(new Inner("message", { data }));
    }

    postMessage(data) {
      if (this.ready) this.send(data);
      else this.waiting.push(data);
    }

    terminate() {
      this.frame.remove();
    }
  }

  window.Worker = window.IFrameWorker = IFrameWorker;
})();
