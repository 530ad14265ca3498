//! `export!`: an operator becomes the exports of a component.

/// Makes an [`Operator`](crate::Operator) what the built Wasm module exports. Once in a crate; natively it does nothing, so
/// that a crate's unit tests and other crates can link it.
#[macro_export]
macro_rules! export {
    ($operator:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::Instance;
            use $crate::bindings::exports::weir::operator::guest::{
                Batch, Column, Context, Descriptor, Effects, Failure, Guest, Subtask, TimerBatch, WindowBatch,
            };

            ::std::thread_local! {
                static INSTANCE: ::std::cell::RefCell<::core::option::Option<Instance<$operator>>> =
                    const { ::std::cell::RefCell::new(None) };
            }

            struct Component;

            impl Guest for Component {
                fn describe() -> Descriptor {
                    Instance::<$operator>::describe()
                }

                fn open(config: String, schemas: Vec<Option<String>>, subtask: Subtask) -> Result<(), String> {
                    let opened = Instance::open(&config, schemas, subtask)?;
                    INSTANCE.set(Some(opened));
                    Ok(())
                }

                fn process(context: Context, batch: Batch) -> Result<Effects, Failure> {
                    INSTANCE.with_borrow_mut(|instance| match instance {
                        Some(instance) => instance.process(context, batch),
                        None => Err(Failure { cause: None, message: "process was called before open".into() }),
                    })
                }

                fn on_timers(context: Context, fired: TimerBatch) -> Result<Effects, Failure> {
                    INSTANCE.with_borrow_mut(|instance| match instance {
                        Some(instance) => instance.on_timers(context, fired),
                        None => Err(Failure { cause: None, message: "on-timers was called before open".into() }),
                    })
                }

                fn on_windows(context: Context, fired: WindowBatch) -> Result<Effects, Failure> {
                    INSTANCE.with_borrow_mut(|instance| match instance {
                        Some(instance) => instance.on_windows(context, fired),
                        None => Err(Failure { cause: None, message: "on-windows was called before open".into() }),
                    })
                }

                fn merge(state: u32, earlier: Column, later: Column) -> Result<Column, String> {
                    Instance::<$operator>::merge(state, &earlier, &later)
                }

                fn migrate(state: u32, from_version: u32, values: Column) -> Result<Column, String> {
                    Instance::<$operator>::migrate(state, from_version, &values)
                }
            }

    $crate::bindings::export_component!(Component with_types_in $crate::bindings);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            /// The operator is well-formed natively, too.
            fn _is_an_operator<O: $crate::Operator>() {}
            let _ = _is_an_operator::<$operator>;
        };
    };
}
