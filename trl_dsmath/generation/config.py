"""Which model is sampled from, in what form, by which engine."""

import hashlib
import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, get_args

from ..errors import ConfigError

Engine = Literal["transformers", "vllm", "server", "openai"]
SHORT_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
_DTYPES = ("auto", *SHORT_DTYPES, *SHORT_DTYPES.values())


@dataclass
class SamplerConfig:
    """
    Model, number format and engine, for [`load_sampler`]. The names are those of TRL's [`~trl.ModelConfig`].

    Args:
        model_name_or_path (`str`, *optional*):
            Folder or name on the hub. A folder with a LoRA adapter loads its base model too.
        adapter (`str`, *optional*):
            LoRA adapter to put on the model.
        model_revision (`str`, *optional*):
            Revision of a model on the hub.
        dtype (`str`, *optional*):
            `"bfloat16"`, `"float16"`, `"float32"` (or `"bf16"`, `"fp16"`, `"fp32"`). If `None`, bfloat16 on a GPU or when
            quantized, else the format that the model was saved in; a model saved in bfloat16 is loaded in float32 on a
            processor without bfloat16 where half of the free memory holds it. `"auto"`: as saved.
        load_in_8bit (`bool`, *optional*, defaults to `False`):
            Whether to load linear layers as int8.
        load_in_4bit (`bool`, *optional*, defaults to `False`):
            Whether to load linear layers as nf4.
        use_bnb_nested_quant (`bool`, *optional*, defaults to `True`):
            Whether to quantize the scales of 4-bit weights too: 0.4 bits less per weight.
        device_map (`str`, *optional*):
            As in transformers. If `None`, `"auto"` on GPUs.
        attn_implementation (`str`, *optional*):
            As in transformers: `"sdpa"`, `"flash_attention_2"`, `"eager"`.
        trust_remote_code (`bool`, *optional*, defaults to `False`):
            Whether a model may bring its own code.
        use_cpu (`bool`, *optional*, defaults to `False`):
            Whether to stay on the CPU where there is a GPU.
        engine (`str`, *optional*, defaults to `"transformers"`):
            `"transformers"`; `"vllm"`: vLLM in this process; `"server"`: a vLLM server, by token ids; `"openai"`: any server
            with OpenAI's protocol, by messages or text, where `model_name_or_path` is the name that the server knows.
        vllm_server_base_url (`str`, *optional*, defaults to `"http://localhost:8000"`):
            Where that server listens.
        base_url (`str`, *optional*):
            Address of the server of engine `"openai"`. If `None`, the environment's `OPENAI_BASE_URL`. Its key is the
            environment's `OPENAI_API_KEY`.
        concurrency (`int`, *optional*):
            Requests at a time to a server. If `None`, 64 with engine `"server"`, 16 with `"openai"`.
        generation_kwargs (`dict`, *optional*):
            Put into each request to a server as they are; on the command line as JSON: `'{"top_k": 0}'`.
        batch_size (`int`, *optional*):
            Samples that transformers computes at a time. If `None`, by the free memory.

    Raises:
        ConfigError: 8 and 4 bits at once, an unknown number format or engine, or an engine that takes whole models only.
    """

    model_name_or_path: str | None = field(
        default=None, metadata={"help": "Folder, LoRA adapter, or name on the hub.", "aliases": ["--model"]}
    )
    adapter: str | None = field(default=None, metadata={"help": "LoRA adapter to put on the model."})
    model_revision: str | None = field(
        default=None, metadata={"help": "Revision of a model on the hub.", "aliases": ["--revision"]}
    )
    dtype: str | None = field(
        default=None, metadata={"help": "bfloat16, float16 or float32.", "aliases": ["--torch_dtype", "--torch-dtype"]}
    )
    load_in_8bit: bool = field(default=False, metadata={"help": "Linear layers as int8 (bitsandbytes)."})
    load_in_4bit: bool = field(default=False, metadata={"help": "Linear layers as nf4 (bitsandbytes)."})
    use_bnb_nested_quant: bool = field(default=True, metadata={"help": "Double quantization of 4-bit weights."})
    device_map: str | None = field(default=None, metadata={"help": "As in transformers; auto on GPUs."})
    attn_implementation: str | None = field(
        default=None, metadata={"help": "As in transformers: sdpa, flash_attention_2, eager."}
    )
    trust_remote_code: bool = field(default=False, metadata={"help": "A model on the hub may bring its own code."})
    use_cpu: bool = field(default=False, metadata={"help": "Stay on the CPU where there is a GPU."})
    engine: Engine = field(
        default="transformers",
        metadata={"help": "What samples: vllm in this process; server is vLLM elsewhere; openai any such server."},
    )
    vllm_server_base_url: str = field(
        default="http://localhost:8000", metadata={"help": "Where the server of engine `server` listens."}
    )
    base_url: str | None = field(
        default=None, metadata={"help": "Where the server of engine openai is; its key is in OPENAI_API_KEY."}
    )
    concurrency: int | None = field(default=None, metadata={"help": "Requests at a time to a server."})
    # The parser reads the second type: JSON on the command line, a mapping in YAML and in code.
    generation_kwargs: dict | str | None = field(
        default=None, metadata={"help": """Put into each request to a server, as JSON: '{"top_k": 0}'."""}
    )
    batch_size: int | None = field(
        default=None, metadata={"help": "Samples computed at a time (default: as many as fit)."}
    )

    def __post_init__(self) -> None:
        if self.load_in_8bit and self.load_in_4bit:
            raise ConfigError("load_in_8bit and load_in_4bit exclude each other: choose one.")
        if self.dtype not in (None, *_DTYPES):
            raise ConfigError(f"dtype must be bfloat16, float16 or float32, not {self.dtype!r}.")
        if self.engine not in get_args(Engine):
            raise ConfigError(f"engine must be one of {', '.join(get_args(Engine))}, not {self.engine!r}.")
        for name in ("batch_size", "concurrency"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, not {value}.")
        if isinstance(self.generation_kwargs, str):
            try:
                self.generation_kwargs = dict(json.loads(self.generation_kwargs))
            except (TypeError, ValueError) as error:
                raise ConfigError(
                    f"""generation_kwargs must be a mapping, as JSON '{{"top_k": 0}}', not {self.generation_kwargs}."""
                ) from error
        if self.generation_kwargs and self.engine not in ("server", "openai"):
            raise ConfigError("generation_kwargs are put into requests to a server: use engine server or openai.")
        if self.base_url and self.engine != "openai":
            raise ConfigError(
                "base_url is for engine openai: add --engine openai (vllm_server_base_url is for server)."
            )
        if self.engine != "transformers" and (self.quantization or self.adapter or self.names_adapter):
            raise ConfigError(
                f"engine {self.engine} takes whole models: merge the adapter first, and leave load_in_8bit and "
                "load_in_4bit out."
            )

    @classmethod
    def names(cls) -> set[str]:
        """The names of all settings."""
        return {one.name for one in fields(cls)}

    @property
    def model(self) -> str:
        """`model_name_or_path`, which must be given.

        Raises:
            ConfigError: it is not.
        """
        if not self.model_name_or_path:
            raise ConfigError("Which model? Give model_name_or_path (--model): a folder, or a name on the hub.")
        return self.model_name_or_path

    @property
    def names_adapter(self) -> bool:
        """Whether what is named as the model is a folder with a LoRA adapter and no model."""
        folder = Path(self.model_name_or_path or "")
        return (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file()

    @property
    def quantization(self) -> Literal["8bit", "4bit", "4bit-double"] | None:
        """The kind of quantization, as [`~generation.memory.model_memory`] names it."""
        if self.load_in_8bit:
            return "8bit"
        return ("4bit-double" if self.use_bnb_nested_quant else "4bit") if self.load_in_4bit else None

    def identity(self, tools: bool = False) -> str:
        """What samples depend on besides prompt and decoding: weights, number format, adapter, engine.

        Args:
            tools (`bool`, *optional*, defaults to `False`):
                Whether programs are run while the model writes.
        """
        bits = {"8bit": "8bit", "4bit-double": "4bit", "4bit": "4bit not nested", None: None}[self.quantization]
        adapter = f"adapter {fingerprint(self.adapter)}" if self.adapter else None
        engine = {"server": "vllm-serve"}.get(self.engine, self.engine) + (" with tools" if tools else "")
        asked = json.dumps(self.generation_kwargs, sort_keys=True) if self.generation_kwargs else None
        parts = [self.dtype, bits, self.model_revision, adapter, engine, asked]
        return fingerprint(self.model, ", ".join(part for part in parts if part))


def fingerprint(name_or_path: str, extra: str = "") -> str:
    """
    Identity of a model: its name, and for a local folder a digest of its files.

    A model that was trained further in the same folder is another model, and a copy is the same. Of each weight file the
    size and 64 pieces are read, not the whole.
    """
    path = Path(name_or_path)
    if not path.is_dir():
        return f"{name_or_path} {extra}".strip()
    digest = hashlib.blake2b(digest_size=12)
    for file in sorted(path.iterdir()):
        if file.is_file() and (file.suffix in {".safetensors", ".bin", ".json", ".jinja", ".model"}):
            size = file.stat().st_size
            digest.update(f"{file.name}/{size}/".encode())
            with file.open("rb") as opened:
                for piece in range(64):
                    opened.seek(piece * max(0, size - 65536) // 63)
                    digest.update(opened.read(65536))
                    if size <= 65536:
                        break
    return f"{path.name} {digest.hexdigest()} {extra}".strip()
