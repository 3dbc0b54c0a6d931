/** The three panels of a triptych. */
export function Logo({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden className={className} fill="var(--tt-gold)">
      <path d="M3 8.5 9.5 5v22L3 23.5zM22.5 5 29 8.5v15L22.5 27z" fillOpacity=".6" />
      <rect x="11.5" y="4" width="9" height="24" rx="1" />
    </svg>
  );
}
