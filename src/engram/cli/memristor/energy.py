"""`engram memristor energy`."""

from dataclasses import asdict, dataclass
from typing import Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import arg

from engram.cli.output import print_json, print_line
from engram.errors import EngramError
from engram.memristor.device import Range
from engram.memristor.energy import (
    ANALOG_PJ,
    FLOAT_SRAM_PJ,
    USUAL,
    Activity,
    Circuit,
    inference,
    total_j,
    writing,
)


@dataclass(frozen=True)
class CountEnergy:
    """Add up the energy of dense stochastic layers on crossbars, by layer and operation.

    Args:
        layers: Widths of the layers: inputs first, classes last.
        active: Share of the inputs that are 1, for each layer of weights.
        range_us: Lowest and highest conductance of a device, in microsiemens.
        passes: N, the stochastic passes whose votes are summed.
        pulses: Pulses of weights per image, for each layer of weights, if it learns; empty for
            none.
        converters: Read outputs as numbers, by converters, as a converted model does.
        circuit: Constants of the crossbar and its periphery.
        json: Print JSON.
    """

    layers: tuple[int, ...] = (784, 300, 10)
    active: tuple[float, ...] = (0.13, 0.5)
    range_us: tuple[float, float] = (18.6, 118.6)
    passes: int = 1
    pulses: tuple[float, ...] = ()
    converters: bool = False
    circuit: Annotated[Circuit, arg(name="")] = USUAL
    json: bool = False

    def __call__(self) -> int:
        """Print the ledger, the total, and what other hardware takes."""
        layers = self._layers()
        bounds = Range(*(1e-6 * end for end in self.range_us))
        bounds.check()
        terms = inference(layers, bounds, self.passes, self.circuit, converters=self.converters)
        terms += [writing(i + 1, pulses, self.circuit) for i, pulses in enumerate(self.pulses)]
        products = sum(layer.products for layer in layers)
        each_pj = 1e12 * total_j(terms) / products
        if self.json:
            content = {
                "terms": [term._asdict() for term in terms],
                "total_j": total_j(terms),
                "products": products,
                "fp32_sram_j": 1e-12 * FLOAT_SRAM_PJ * products,
                "analog_8_bit_j": 1e-12 * ANALOG_PJ * products,
                "circuit": asdict(self.circuit),
            }
            print_json(content)
            return 0
        grid = Table(box=None, header_style="bold")
        for name in ("layer", "operation", "per image", "energy (pJ)"):
            grid.add_column(name, justify="left" if name == "operation" else "right")
        for term in terms:
            energy = f"{1e12 * term.energy_j:.4g}"
            grid.add_row(str(term.layer), term.operation, f"{term.events:.6g}", energy)
        Console().print(grid)
        print_line(
            f"An image takes {1e9 * total_j(terms):.4g} nJ, {1e3 * each_pj:.4g} fJ for each of "
            f"{products:,.0f} products."
        )
        print_line(
            f"fp32 with SRAM: {FLOAT_SRAM_PJ:.1f} pJ a product, {FLOAT_SRAM_PJ / each_pj:.3g} "
            f"times as much; 8-bit analog: {ANALOG_PJ} pJ, {ANALOG_PJ / each_pj:.3g} times."
        )
        print_line("None of these constants is a measurement of a chip.")
        return 0

    def _layers(self) -> list[Activity]:
        widths, active = self.layers, self.active
        if len(widths) < 2 or min(widths) < 1:
            raise EngramError(f"layers={widths}: give two widths or more, each at least 1")
        for name, given in (("active", active), ("pulses", self.pulses)):
            if len(given) != len(widths) - 1 and not (name == "pulses" and not given):
                raise EngramError(
                    f"{name}={given}: give one number for each of {len(widths) - 1} layers of "
                    "weights"
                )
        if not all(0 <= share <= 1 for share in active):
            raise EngramError(f"active={active}: give shares from 0 to 1, such as 0.13 for 13 %")
        return [
            Activity(
                i + 1, widths[i] + 1, widths[i + 1], 1, widths[i] * active[i] + 1,
                0 if i else widths[0],
            )
            for i in range(len(widths) - 1)
        ]  # fmt: skip
