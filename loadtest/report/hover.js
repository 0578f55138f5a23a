// A reading line on the charts over time. The page says everything without it.
(() => {
  const { step, points, events } = JSON.parse(document.getElementById("points").textContent);
  if (!points.length) return;
  const box = Object.assign(document.createElement("div"), { className: "hover", hidden: true });
  const line = Object.assign(document.createElement("div"), { className: "hover-line", hidden: true });
  document.body.append(line, box);
  const number = (value) => value.toLocaleString("en");

  const words = ([t, offered, ok, failed, p50, p95, p99, slots]) => [
    step > 1 ? `${t} to ${t + step} s` : `second ${t}`,
    `offered ${number(offered)}, answered ${number(ok)}, failed ${number(failed)}`,
    `p50 ${number(p50)}, p95 ${number(p95)}, p99 ${number(p99)} ms`,
    Object.entries(slots).map(([slot, n]) => `${slot || "unnamed"} ${number(n)}`).join(", "),
    ...events.flatMap(([at, label], i) => (at >= t && at < t + step ? [`${i + 1}: ${label}`] : [])),
  ].join("\n");

  const show = (svg, event) => {
    const { from, to, seconds } = svg.dataset;
    const place = svg.getBoundingClientRect();
    const scale = place.width / svg.viewBox.baseVal.width;
    const t = ((event.clientX - place.left) / scale - from) / (to - from) * seconds;
    const point = points.find(([start]) => t >= start && t < start + step);
    box.hidden = line.hidden = !point;
    if (!point) return;
    box.textContent = words(point);
    line.style.cssText = `left:${event.pageX}px;top:${place.top + scrollY}px;height:${place.height}px`;
    const room = document.documentElement.clientWidth - box.offsetWidth - 8;
    box.style.left = `${Math.max(4, Math.min(event.pageX + 14, room))}px`;
    box.style.top = `${event.pageY + 16}px`;
  };
  for (const svg of document.querySelectorAll("svg.time")) {
    svg.addEventListener("pointermove", (event) => show(svg, event));
    svg.addEventListener("pointerleave", () => { box.hidden = line.hidden = true; });
  }
})();
